"""A fitted baseline, and the folder that holds it.

`config.json`, `reader.safetensors` where it reads scans, `MODEL_CARD.md`, `training_people.json`
where it learned from a cohort, and `SHA256SUMS`, which is verified whenever the folder is loaded.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from brlp_models.auxiliary.covariates import CovariateCoding
from brlp_models.baselines.features import FeatureConfig, describe_scan
from brlp_models.baselines.network import NetworkConfig, NetworkReader
from brlp_models.baselines.people import TableCoding
from brlp_models.baselines.reader import LinearReader
from brlp_models.baselines.regression import Array, ColumnRegression
from brlp_models.errors import ModelError
from brlp_models.model.files import CARD, CHECKSUMS, CONFIG, verify_model_folder, write_checksums
from brlp_models.model.model import BrlpModel
from brlp_models.model.training_people import TRAINING_PEOPLE
from brlp_models.scans.grid import Grid
from cohorts.atomic import write_folder
from cohorts.measurement import describe_learned

BaselineName = Literal["elastic_net", "image_regression", "latent_regression", "cnn_regression"]

BUNDLED: Final = ("image_regression",)
READER: Final = "reader.safetensors"


class BaselineConfig(BaseModel):
    """What `config.json` says.

    Parameters
    ----------
    name
        Which baseline; also what its scores are called.
    horizons_months
        Months after baseline at which it predicts the change of the hippocampus.
    coding, table
        How the baseline table becomes columns, and the regression on them.
    features, readout
        What is seen of the scan, and the regression of what the table leaves unexplained on the
        table's prediction and what was read in the features.
    network
        What reads the features, where that is a network and not linear.
    shape, affine
        Of the grid that scans lie on.
    spread
        At each horizon, the sd of the error, in percent of the baseline volume, in the people
        fitted on, corrected for the number of weights; None for folders of before it was kept.
    n_people, n_table_people
        Whom scans, and whom the table were learned from.
    is_synthetic, provenance
        Whether those were simulated, and who they were.
    measured_by
        The tool that measured their volumes, as `cohorts.measurement.name_tool` calls it; None
        where that is not recorded.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format_version: Literal[1] = 1
    name: BaselineName
    horizons_months: Annotated[tuple[float, ...], Field(min_length=1)]
    coding: dict[str, Any]
    table: dict[str, Any]
    features: FeatureConfig | None = None
    readout: dict[str, Any] | None = None
    network: NetworkConfig | None = None
    shape: tuple[int, int, int] | None = None
    affine: tuple[tuple[float, ...], ...] | None = None
    spread: tuple[Annotated[float, Field(ge=0)], ...] | None = None
    n_people: int = 0
    n_table_people: int
    is_synthetic: bool
    provenance: str
    measured_by: str | None = None

    @property
    def learned_from(self) -> str:
        """What the training volumes were, as `cohorts.measurement.describe_learned` says it."""
        return describe_learned(self.measured_by, is_synthetic=self.is_synthetic)

    def find_spread(self, months: float) -> float:
        """Return the sd of the error at a horizon, percent of the baseline volume; NaN if none."""
        if self.spread is None:
            return float("nan")
        return self.spread[self.horizons_months.index(months)]

    def get_grid(self) -> Grid | None:
        """Return the grid of the scans that it reads; None where it reads none."""
        if self.shape is None or self.affine is None:
            return None
        return Grid(self.shape, np.array(self.affine))


@dataclass(frozen=True)
class Baseline:
    """A predictor of the change of the hippocampus from the baseline visit.

    Parameters
    ----------
    config
        What it is.
    reader
        Reads the scan's features.
    folder
        Where it was read from; None for one that was not written yet.
    """

    config: BaselineConfig
    reader: LinearReader | NetworkReader | None = None
    folder: Path | None = None

    @property
    def reads_scans(self) -> bool:
        """Whether it needs a scan."""
        return self.config.features is not None

    def check_horizons(self, horizons_months: Sequence[float]) -> None:
        """Raise `ModelError` where it does not predict for one of the months after baseline."""
        for months in horizons_months:
            if months not in self.config.horizons_months:
                known = ", ".join(f"{own:g}" for own in self.config.horizons_months)
                raise ModelError(
                    f"{self.config.name} predicts for months {known} after baseline, "
                    f"not {months:g}."
                )

    def predict_change(
        self,
        table: pd.DataFrame,
        images: Iterable[npt.NDArray[np.uint8]] | None = None,
        *,
        model: BrlpModel | None = None,
    ) -> pd.DataFrame:
        """Return the percent change of the hippocampus at each horizon.

        Parameters
        ----------
        table
            Baseline rows, index `participant_id`.
        images
            A scan for each, in the same order, on the baseline's grid; not asked for where the
            baseline reads none.
        model
            Whose autoencoder gives the latents, where those are read.

        Returns
        -------
        DataFrame
            Index `participant_id`, a column for each horizon; NaN for people whose table lacks
            something.

        Raises
        ------
        ModelError
            Where the table lacks a column, or scans are needed and not given.
        """
        found = self.predict_from_table(table)
        if self.config.features is not None and self.config.readout is not None:
            read = self.read_scans(images, model=model)
            known = np.isfinite(found).all(axis=1)
            readout = ColumnRegression.from_dict(self.config.readout)
            found[known] += readout.predict(np.hstack([found, read])[known])
        columns = pd.Index(self.config.horizons_months, name="horizon_months")
        return pd.DataFrame(found, index=table.index, columns=columns)

    def predict_from_table(self, table: pd.DataFrame) -> Array:
        """Return what the table alone tells of the change, (people, horizons)."""
        coding = TableCoding(CovariateCoding.from_dict(self.config.coding))
        complete = coding.find_complete(table)
        found = np.full((len(table), len(self.config.horizons_months)), np.nan)
        if complete.any():
            x = coding.encode(table[complete])
            found[complete] = ColumnRegression.from_dict(self.config.table).predict(x)
        return found

    def read_scans(
        self, images: Iterable[npt.NDArray[np.uint8]] | None, *, model: BrlpModel | None = None
    ) -> Array:
        """Return what is read in each scan, (people, outputs).

        Raises
        ------
        ModelError
            Where there are no scans, or they are on another grid than the baseline's.
        """
        if images is None or self.reader is None or self.config.features is None:
            raise ModelError(f"{self.config.name} reads scans; give one for each person.")
        rows = []
        for image in images:
            if image.shape != self.config.shape:
                raise ModelError(
                    f"{self.config.name} reads scans of {self.config.shape} voxels, "
                    f"got {image.shape}."
                )
            rows.append(self.reader.read(describe_scan(image, self.config.features, model)))
        return np.stack(rows)

    def write(self, folder: Path, *, card: str, people: str | None = None) -> Path:
        """Write the folder, whole or not at all.

        Parameters
        ----------
        folder
            Must be new or empty.
        card
            The text of `MODEL_CARD.md`.
        people
            The text of `training_people.json`; none where nobody real was learned from.

        Raises
        ------
        ModelError
            Where the folder holds something.
        """
        if folder.is_dir() and any(folder.iterdir()):
            raise ModelError(f"{folder} holds files already; choose another folder.")
        with write_folder(folder) as partial:
            text = json.dumps(self.config.model_dump(mode="json"), indent=1) + "\n"
            (partial / CONFIG).write_text(text, encoding="utf-8")
            (partial / CARD).write_text(card, encoding="utf-8")
            if people is not None:
                (partial / TRAINING_PEOPLE).write_text(people, encoding="utf-8")
            if self.reader is not None:
                self.reader.write(partial / READER)
            write_checksums(partial)
        return folder


def load_baseline(source: Path) -> Baseline:
    """Read and verify a baseline.

    Parameters
    ----------
    source
        Its folder, or `image_regression`, the bundled one.

    Raises
    ------
    ModelError
        Where the folder is none, or a file is missing, altered, or of another architecture.
    """
    folder = Path(__file__).parents[1] / source if str(source) in BUNDLED else source
    if not (folder / CONFIG).is_file() or not (folder / CHECKSUMS).is_file():
        raise ModelError(f"{folder} is no folder of a baseline (no {CONFIG} with {CHECKSUMS}).")
    verify_model_folder(folder)
    try:
        config = BaselineConfig.model_validate_json((folder / CONFIG).read_text(encoding="utf-8"))
    except ValidationError as error:
        where = ((".".join(map(str, e["loc"])), e["msg"]) for e in error.errors())
        raise ModelError(
            *(f"{folder / CONFIG}: {key or 'config'}: {text}." for key, text in where)
        ) from error
    return Baseline(config, _load_reader(config, folder / READER), folder)


def _load_reader(config: BaselineConfig, path: Path) -> LinearReader | NetworkReader | None:
    if config.features is None:
        return None
    if config.network is not None:
        return NetworkReader.load(path, config.network)
    return LinearReader.load(path)


def fit_table(
    table: pd.DataFrame, change: pd.DataFrame, names: Sequence[str], *, is_linear: bool = False
) -> tuple[TableCoding, ColumnRegression]:
    """Return the coding of a baseline table, and the regression of the change on it.

    Parameters
    ----------
    table, change
        As in `BaselinePeople`; who lacks a column or the change at a horizon is left out.
    names
        Columns of the table.
    is_linear
        Elastic net; otherwise ridge regression, with products of columns where people are many.
    """
    usable = table[list(names)].notna().all(axis=1) & change.notna().all(axis=1)
    coding = TableCoding.fit(table[usable], names)
    x, y = coding.encode(table[usable]), change[usable].to_numpy(float)
    return coding, ColumnRegression.fit(x, y, machine="elastic_net" if is_linear else "ridge")
