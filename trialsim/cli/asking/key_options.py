"""The words of the options that are keys of the protocol."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple


class Option(NamedTuple):
    """An option: the type of what is typed, its help, whether it is a list with commas."""

    kind: type
    text: str
    is_list: bool = False
    flag: str | None = None


OPTIONS: Final[Mapping[str, Option]] = {
    "seed": Option(int, "The seed of everything random."),
    "model": Option(str, "mini, or the path of a model folder."),
    "context_from": Option(
        str,
        "image_regression, or a baseline's folder: what tells the model's context; none: its "
        "auxiliary model again.",
    ),
    "horizons_months": Option(
        str, "Months after baseline, with commas; the design's visits when left out.", is_list=True
    ),
    "samples": Option(str, "Draws for each person and horizon, or auto."),
    "device": Option(str, "cpu, cuda, cuda:1 ..."),
    "save_images": Option(bool, "Write predicted scans and maps of uncertainty."),
    "measure": Option(bool, "Or write scans without volumes, to segment elsewhere."),
    "segmentations": Option(Path, "Folder of your own label maps of the predicted scans."),
    "until_months": Option(float, "Latest visit that may be used; 0: the baseline visit alone."),
    "tolerance_percent": Option(float, "Standard error of the volume where auto stops, percent."),
    "sampler": Option(str, "ddim or dpm-solver++; the model's own when left out."),
    "num_inference_steps": Option(int, "Denoising steps; the model's own when left out."),
    "precision": Option(str, "auto, full or bf16; auto multiplies in bf16 where it can."),
    "batch_size": Option(int, "Draws at once on a GPU; what memory holds when left out."),
    "memory_gb": Option(float, "Memory of a GPU for activations; left out, 60 % of what is free."),
    "threads": Option(int, "Threads for one person; another number changes the last digits."),
    "strategies": Option(str, "Strategies, with commas.", is_list=True),
    "scores": Option(Path, "CSV of scores: participant_id, one column a strategy."),
    "predictions": Option(Path, "CSV or Parquet of volumes that were predicted elsewhere."),
    "training": Option(Path, "Another cohort to fit strategies on.", flag="--train-on"),
    "fractions_enrolled": Option(str, "Shares of the screened people, with commas.", is_list=True),
    "folds": Option(int, "Folds of cross-fitting, where there is no other cohort to fit on."),
    "n_selected": Option(
        str, "Numbers selected, with commas; tenths of the people when left out.", is_list=True
    ),
    "truth": Option(str, "latent (synthetic people), measured, or auto: latent if known."),
    "top_fraction": Option(float, "Fast progressors are this share."),
    "rate_below": Option(float, "Or: those whose change a year is below this, for example -3."),
    "decline_unit": Option(str, "Unit of the decline that strategies learn: percent or mm3."),
    "horizon_months": Option(float, "When the decline is measured, months."),
    "measured_by": Option(str, "Tool whose volumes count, where several measured one visit."),
    "window_months": Option(float, "How far a visit may be from its planned time, months."),
    "endpoint": Option(str, "Region whose volume declines."),
    "unit": Option(str, "Unit of the endpoint: mm3 or log_percent (100 ln volume)."),
    "visits_months": Option(
        str, "Months of the visits, from 0, for example 0,6,12,24.", is_list=True
    ),
    "allocation_ratio": Option(float, "Treatment : control."),
    "alpha": Option(float, "Total type I error."),
    "sides": Option(int, "1 or 2."),
    "target_power": Option(float, "Power that a sample size is searched for."),
    "slowing": Option(float, "Share of the decline that the treatment prevents."),
    "relative_to": Option(str, '"all decline" or "decline above normal ageing".'),
    "normal_change_per_year": Option(
        float, "Change a year in normal ageing; that of the cohort's CN when left out."
    ),
    "dropout": Option(float, "Share of each arm that has left by the last visit."),
    "unreadable": Option(float, "Share of the scans after baseline that cannot be read."),
    "degrees_of_freedom": Option(str, "Of mixed models: satterthwaite or kenward_roger."),
    "covariance": Option(str, "Of mixed models: pooled over the arms, or by_arm."),
    "standard_error": Option(str, "Of mixed models: model, or by participant: cr0 or cr2."),
    "outcomes": Option(
        str,
        "Where outcomes come from: auto, observed, archive (--train-on), predicted, or assumed.",
    ),
    "decline_mean": Option(float, "Assumed outcomes: mean loss to the last visit."),
    "decline_sd": Option(float, "Assumed outcomes: its standard deviation, as measured."),
    "baseline_sd": Option(float, "Assumed outcomes: standard deviation at baseline."),
    "baseline_correlation": Option(float, "Assumed outcomes: of baseline with loss."),
    "noise_sd": Option(float, "Assumed outcomes: error of one measurement."),
    "score_correlation": Option(
        str, "Assumed outcomes: of scores with loss, such as 0.5 or { brlp = 0.6 }."
    ),
    "trajectories": Option(str, "How they are drawn: resampling or parametric."),
    "analyses": Option(
        str,
        "Of change, ancova, random_slope, mmrm; ancova_score, random_slope_score, mmrm_score; "
        "missing_at_random, jump_to_reference, copy_increments, copy_reference; with commas.",
        is_list=True,
    ),
    "sample_sizes": Option(str, "People in both arms together, with commas.", is_list=True),
    "screening": Option(float, "Cost of a person screened."),
    "participant": Option(float, "Cost of a person enrolled."),
    "n_simulations": Option(int, "Trials simulated at each point."),
    "n_bootstrap": Option(
        int,
        "Bootstrap samples of people, behind the intervals of sizes and costs; fewer than 200 give "
        "none.",
    ),
    "workers": Option(int, "Threads, of scans processes; the same results with any number."),
    "cluster": Option(str, "Workers elsewhere: local, tcp://host:port of Dask, or a TOML file."),
}
