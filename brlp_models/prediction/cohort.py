"""Predictions of a whole cohort."""

from collections.abc import Sequence
from pathlib import Path

from brlp_models.errors import ModelError
from brlp_models.model.model import BrlpModel
from brlp_models.model.schedule import Sampler
from brlp_models.model.threads import limited_threads
from brlp_models.prediction.batches import choose_batch_sizes
from brlp_models.prediction.context import AuxiliaryModels, EndpointSource
from brlp_models.prediction.dataset import PredictedDataset
from brlp_models.prediction.draws import Drawing
from brlp_models.prediction.job import CohortPrediction, OnPerson, OnProgress, PredictionJob
from brlp_models.prediction.person_files import SCANS, PredictionArchive
from brlp_models.prediction.settings import Part, PredictionSettings, Samples
from brlp_models.scans.cache import ScanCache
from brlp_models.scans.segmentation import choose_segmenter
from cohorts.cohort import Cohort


def predict_cohort(
    model: BrlpModel,
    cohort: Cohort,
    horizons_months: Sequence[float],
    samples: Samples = 8,
    *,
    out: Path,
    seed: int = 0,
    sampler: Sampler | None = None,
    num_inference_steps: int | None = None,
    tolerance_percent: float = 0.25,
    until_months: float = 0.0,
    threads: int = 1,
    segmentations: Path | None = None,
    scan_cache: Path | None = None,
    save_images: bool = False,
    measure: bool = True,
    batch_size: int | None = None,
    memory_gb: float | None = None,
    auxiliary: AuxiliaryModels | None = None,
    context_from: EndpointSource | None = None,
    has_tables: bool = True,
    on_progress: OnProgress | None = None,
    on_person: OnPerson | None = None,
    part: Part | None = None,
) -> CohortPrediction:
    """Predict the scans of a cohort, and the volumes of their regions with uncertainty.

    Parameters
    ----------
    model
        From `load_model`.
    cohort
        Its visits hold the images.
    horizons_months, samples, seed, sampler, num_inference_steps, tolerance_percent, until_months
        As in `PredictionSettings`; sampler and steps are the model's own by default.
    threads
        As in `PredictionSettings`. To use more cores, let several processes each predict a `part`.
    out
        The folder of the results. People whose results it holds already are not predicted again.
    segmentations
        A folder with label maps of the predicted scans, `<name>.nii.gz`.
    scan_cache
        The folder of preprocessed scans; `<out>/scans` by default. Predictions that share one, at
        other horizons or by another model of the same grid, do not register a scan again.
    save_images
        Whether predicted scans, reconstructed baselines and maps of uncertainty are written, in
        each person's own space; `out` is then a BIDS derivative dataset.
    measure
        False writes images without volumes, to be segmented elsewhere.
    batch_size
        Latents that a GPU denoises at once; as many as `memory_gb` holds by default. The processor
        denoises one after another, so that a person's numbers are the same, bit for bit, in any
        company.
    memory_gb
        Memory of the GPU for activations; 60 % of what is free by default.
    auxiliary
        Predict the volumes of the context; the model folder's own by default.
    context_from
        Expects the endpoint in the context in place of these, such as
        `brlp_models.baselines.context.ContextBaseline`. What was measured of the model while it
        did takes effect (`ModelConfig.calibrations`).
    has_tables
        Whether the tables of everyone are written. Several calls that share `out`, each for some
        people, leave them to `brlp_models.prediction.person_files.join_predictions`.
    on_progress
        Called with the predictions finished since the last call.
    on_person
        Given each person's targets with the scans predicted for them, before the person's results
        are kept.
    part
        Whom this process predicts; everyone when None. Only the process of everyone writes tables,
        once it has found in `out` what others predicted.

    Raises
    ------
    ModelError
        Where nothing can be predicted at all. One person's problem is listed in `failures`.
    """
    identity = None if context_from is None else context_from.identity
    model = model.told_by(identity)
    settings = PredictionSettings(
        tuple(float(months) for months in horizons_months),
        samples,
        seed,
        sampler or model.config.sampler,
        num_inference_steps or model.config.num_inference_steps,
        tolerance_percent,
        until_months,
        threads,
        identity,
    )
    if context_from is not None:
        context_from.check(
            model.config, horizons_months=settings.horizons_months, until_months=until_months
        )
    if segmentations is not None and model.config.decoding != "latent":
        raise ModelError(
            f"Model {model.config.name} shows a predicted change in the first scan, but measures "
            "it in the decoded latent, where it is less biased; leave the segmentations out."
        )
    batches = choose_batch_sizes(model.config, model.device, memory_gb, batch_size)
    drawing = Drawing(
        model,
        choose_segmenter(model, segmentations) if measure else None,
        seed,
        settings.sampler,
        settings.num_inference_steps,
        save_images or on_person is not None,
        *batches,
    )
    if settings.samples == "auto" and not (drawing.segmenter and drawing.segmenter.measures_draws):
        raise ModelError(
            "samples auto needs a segmenter that measures single draws; give a number."
        )
    archive = PredictionArchive(out, settings.describe(model))
    dataset = PredictedDataset(out, model, seed, cohort.is_synthetic)
    dataset.describe()
    job = PredictionJob(
        model,
        cohort,
        settings,
        drawing,
        archive,
        dataset,
        ScanCache(scan_cache or out / SCANS),
        auxiliary or AuxiliaryModels.load(model),
        context_from,
        save_images,
        has_tables,
        on_progress or (lambda _: None),
        on_person,
        part or Part(),
    )
    with limited_threads(threads):
        return job.run()
