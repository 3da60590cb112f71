"""Predicted scans as a BIDS derivative dataset that nobody can take for one of scans.

What BIDS has no name for yet (transforms, maps of a standard deviation, what lets a run go on)
is listed in `.bidsignore`, as other programs do.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from brlp_models.model.model import BrlpModel
from brlp_models.prediction.draws import Person, PersonAtHorizon
from brlp_models.prediction.start import StartVisit
from brlp_models.scans.registration import load_simpleitk, to_itk_transform
from brlp_models.scans.template import TEMPLATE_NAME, TEMPLATE_SPACE
from cohorts.files.atomic import write_file, write_file_with
from cohorts.files.bids_output import (
    ALIGNED,
    DESCRIP_BYTES,
    describe_dataset,
    format_label,
    make_image,
    write_json,
)

OUTLINED_REGION: Final = "hippocampus"
"""Whose outline lies beside the scans, for figures that show it before and after."""

_LEVELS: Final = 255
_IGNORED: Final = (
    "settings.json", "people", "scans", "logs", "*.csv", "*.duckdb*", "*.html",
    "*_xfm.*", "*_stat-sd_*", "*_probseg.*",
)  # fmt: skip
_README: Final = """\
PREDICTED brain scans: none of these images was acquired.

Made by `trialsim predict`: what a model expects each person's brain to look like at a later age.
`desc-predictedMonth24Age75p3` is a scan predicted for 24 months after baseline, at an age of 75.3
years; `stat-sd` is its standard deviation, voxel by voxel: of its draws, and of what these get
wrong alike where the model knows it; `desc-reconstructed` is the scan that the prediction starts
from, as the model shows it; `probseg` is the share of each voxel that the hippocampus fills in the
scan of that name. Predicted volumes with their standard deviations are in
phenotype/predicted_volumes.tsv, transforms to MNI152 in *_xfm.txt (ITK).
"""
_PREDICTED: Final = re.compile(r"_desc-predictedMonth(\d+(?:p\d+)?)Age(\d+(?:p\d+)?)_T1w$")


@dataclass(frozen=True)
class PredictedDataset:
    """Where a model's predictions for a cohort are written.

    Parameters
    ----------
    folder
        Made when absent.
    model
        That predicts.
    seed
        Of the draws.
    is_synthetic
        Whether any person is simulated.
    """

    folder: Path
    model: BrlpModel
    seed: int
    is_synthetic: bool

    def describe(self) -> None:
        """Write what the dataset is, before anything is in it."""
        config = self.model.config
        mark = "SYNTHETIC people, " if self.is_synthetic else ""
        content = describe_dataset(
            f"PREDICTED scans ({mark}model {config.name})",
            kind="derivative",
            description="trialsim predict",
            is_synthetic=self.is_synthetic,
            made_with={"ModelName": config.name, "ModelId": self.model.model_id, "Seed": self.seed},
        )
        write_json(self.folder / "dataset_description.json", content)
        write_file(self.folder / "README", _README.encode())
        write_file(self.folder / ".bidsignore", ("\n".join(_IGNORED) + "\n").encode())

    def write_prediction(
        self, target: PersonAtHorizon, scan: NDArray[Any], sd: NDArray[Any]
    ) -> None:
        """Write a predicted scan and its standard deviation at each voxel.

        Parameters
        ----------
        target
            Whose, and for when.
        scan, sd
            (channels, *shape) on the model's grid; a file is written for each channel.
        """
        facts = {
            "PredictedAge": round(target.age_years, 3),
            "HorizonMonths": target.horizon_months,
            "AgeAtStart": round(target.person.start.age_years, 3),
            "NumberOfDraws": target.draws.n_samples,
        }
        when = f"month {target.horizon_months:g} age {target.age_years:.1f}"
        says = f"A scan that a model predicts for {when}; nobody acquired it."
        self._write_channels(target.person, target.name, scan, f"PREDICTED {when}", says, facts)
        stem = name_uncertainty(target)
        says = (
            f"Standard deviation, voxel by voxel, of a scan that is predicted for {when}: of its "
            "draws, and of what these get wrong alike where the model knows it; intensities 0 to 1."
        )
        self._write_channels(target.person, stem, sd, f"SD PREDICTED {when}", says, facts)

    def write_start(self, person: Person, scan: NDArray[Any]) -> None:
        """Write the scan that predictions start from, as the model shows it, and its transform."""
        says = "The starting scan, encoded and decoded by the model; nobody acquired it."
        stem = person.start.reconstruction_name
        self._write_channels(person, stem, scan, "RECONSTRUCTED", says, {})
        matrix = person.scan.native_to_mni
        if matrix is None:
            return
        stem = f"{person.start.prefix}_from-T1w_to-{TEMPLATE_SPACE}_mode-image_xfm"
        # ITK resamples by taking points of the output to the input
        transform = to_itk_transform(np.asarray(np.linalg.inv(matrix), dtype=float))
        write_file_with(
            self._find(person.start, f"{stem}.txt"),
            lambda path: load_simpleitk().WriteTransform(transform, str(path)),
        )
        says = "Affine that resamples the T1w scan onto the template (ITK: template to scan)."
        write_json(
            self._find(person.start, f"{stem}.json"),
            {"Description": says, "Template": TEMPLATE_NAME, "Invertible": True},
        )

    def write_region(self, person: Person, name: str, share: NDArray[Any]) -> None:
        """Write which share of each voxel `OUTLINED_REGION` fills in the scan called `name`."""
        # noise below a level says nothing and does not compress
        rounded = np.round(share * _LEVELS) / _LEVELS
        says = f"Share of each voxel that the {OUTLINED_REGION} fills, both sides, by the model."
        stem = name_region(name)
        self._write(person, stem, rounded, f"{OUTLINED_REGION.upper()} share", says, {})

    def _write_channels(
        self,
        person: Person,
        stem: str,
        scan: NDArray[Any],
        descrip: str,
        says: str,
        facts: dict[str, Any],
    ) -> None:
        """Write a file for each channel, by the name of the T1w's."""
        for channel, array in zip(self.model.config.channels, scan, strict=True):
            name = f"{stem.removesuffix('T1w')}{channel}"
            self._write(person, name, array, descrip, says, facts)

    def _write(
        self,
        person: Person,
        stem: str,
        array: NDArray[Any],
        descrip: str,
        says: str,
        facts: dict[str, Any],
    ) -> None:
        restored = person.scan.restore(np.asarray(array))
        image = make_image(
            np.asarray(restored.dataobj),
            np.asarray(restored.affine),
            descrip=self._describe(descrip),
            space=ALIGNED,
        )
        write_file_with(self._find(person.start, f"{stem}.nii.gz"), image.to_filename)
        content = {
            "Description": says,
            "IsPredicted": True,
            "IsSynthetic": self.is_synthetic,
            "SkullStripped": True,
            "SpatialReference": "orig",
            "StartScan": person.start.image_path.name,
            "ModelName": self.model.config.name,
            "ModelId": self.model.model_id,
            "Seed": self.seed,
        }
        write_json(self._find(person.start, f"{stem}.json"), content | facts)

    def _describe(self, descrip: str) -> str:
        """Return a header's text; a long name of the model loses its beginning, not its digest."""
        text = f"{descrip} seed {self.seed} model "
        return text + self.model.model_id[-(DESCRIP_BYTES - len(text)) :]

    def _find(self, start: StartVisit, name: str) -> Path:
        return self.folder / start.anat_folder / name


def write_dataset_tables(
    folder: Path, participants: Iterable[str], predictions: pd.DataFrame
) -> None:
    """Write who was predicted, and a table of their volumes, one row a person.

    Parameters
    ----------
    folder
        Of the dataset.
    participants
        Who is in it, as the cohort names them.
    predictions
        The table `predictions`.
    """
    names = {name: f"sub-{format_label(name)}" for name in participants}
    mine = predictions[predictions["participant_id"].isin(list(names))]
    labels = mine["participant_id"].map(names)
    people = pd.DataFrame({"participant_id": labels, "source_id": mine["participant_id"]})
    _write_tsv(
        folder / "participants.tsv",
        people.drop_duplicates(),
        {"source_id": {"Description": "the person's name in the cohort"}},
    )
    wide, said = _spread(mine.assign(participant_id=labels))
    _write_tsv(folder / "phenotype" / "predicted_volumes.tsv", wide, said)


def name_uncertainty(target: PersonAtHorizon) -> str:
    """Return what the map of a prediction's uncertainty is called."""
    return target.name.replace("_desc-", "_stat-sd_desc-")


def name_region(name: str) -> str:
    """Return what the map of `OUTLINED_REGION` in the scan called `name` is called."""
    start, _, end = name.removesuffix("_T1w").partition("_desc-")
    return f"{start}_label-{OUTLINED_REGION}_desc-{end}_probseg"


def find_predicted_scans(folder: Path, participant_id: str) -> Iterator[tuple[float, Path]]:
    """Yield month and path of each scan that was predicted for a person.

    Parameters
    ----------
    folder
        The dataset.
    participant_id
        As the cohort names the person.
    """
    label = format_label(participant_id)
    for path in sorted(folder.absolute().glob(f"sub-{label}/ses-*/anat/sub-{label}_ses-*.nii.gz")):
        found = _PREDICTED.search(path.name.removesuffix(".nii.gz"))
        if found is not None and "_stat-" not in path.name:
            yield float(found[1].replace("p", ".")), path


def _spread(predictions: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return one row a person, `month24_hippocampus_mm3` and `..._sd_mm3`, with their meaning."""
    wide, said = pd.DataFrame({"participant_id": predictions["participant_id"].unique()}), {}
    own = wide["participant_id"]
    for (months, region), rows in predictions.groupby(["horizon_months", "region"], sort=True):
        values = rows.set_index("participant_id")
        name = f"month{float(str(months)):g}_{region}"
        what = f"{region}, {float(str(months)):g} months after baseline"
        for column, end, words in (
            ("volume_mm3", "mm3", "predicted volume of the"),
            ("volume_sd_mm3", "sd_mm3", "standard deviation of the predicted volume of the"),
        ):
            wide[f"{name}_{end}"] = own.map(values[column])
            said[f"{name}_{end}"] = {"Description": f"{words} {what}", "Units": "mm^3"}
    return wide, said


def _write_tsv(path: Path, table: pd.DataFrame, columns: dict[str, Any]) -> None:
    content = table.to_csv(sep="\t", index=False, na_rep="n/a")
    write_file(path, content.encode())
    write_json(path.with_suffix(".json"), {"Description": "Made by trialsim predict"} | columns)
