"""What the `config.json` of a baseline's folder says, and how such a folder is written.

`config.json`, the weights as safetensors where it has some, `MODEL_CARD.md`,
`training_people.json` where it learned from a cohort, and `SHA256SUMS`, which is verified whenever
the folder is loaded.
"""

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Final, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from brlp_models.errors import ModelError
from brlp_models.model.files import CARD, CONFIG, write_checksums
from brlp_models.model.training_people import TRAINING_PEOPLE
from brlp_models.scans.grid import Grid
from cohorts.files.atomic import write_folder
from cohorts.volumes.measurement import describe_learned

RegressionName = Literal["elastic_net", "image_regression", "latent_regression", "cnn_regression"]
ImageName = Literal["mrextrap", "deformation", "ag_ldm", "flow_matching"]

WEIGHTS: Final = "reader.safetensors"


class BaselineConfig(BaseModel):
    """What all baselines say of themselves.

    Parameters
    ----------
    name
        Which baseline; also what its scores are called.
    horizons_months
        Months after baseline that it was fitted for; it predicts until the last. Empty for any.
    shape, affine
        Of the grid that scans lie on; None where none are read, or those of any model.
    spread
        At each horizon, the sd of the error of the hippocampus's change, in percent of the baseline
        volume, in the people fitted on, corrected for the number of weights; None where it is not
        known.
    n_people
        Whose scans were learned from.
    is_synthetic, provenance
        Whether those were simulated, and who they were.
    measured_by
        The tool that measured their volumes, as `cohorts.volumes.measurement.name_tool` calls it;
        None where that is not recorded, or volumes are not learned from.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format_version: Literal[1] = 1
    name: RegressionName | ImageName
    horizons_months: tuple[float, ...]
    shape: tuple[int, int, int] | None = None
    affine: tuple[tuple[float, ...], ...] | None = None
    spread: tuple[Annotated[float, Field(ge=0)], ...] | None = None
    n_people: int = 0
    is_synthetic: bool
    provenance: str
    measured_by: str | None = None

    @property
    def learned_from(self) -> str:
        """What the training volumes were, in the words of `describe_learned`."""
        return describe_learned(self.measured_by, is_synthetic=self.is_synthetic)

    def check_horizons(self, horizons_months: Sequence[float]) -> None:
        """Raise `ModelError` where one of the months is not after baseline, or beyond its last."""
        last = max(self.horizons_months, default=math.inf)
        for months in horizons_months:
            if not 0 < months <= last:
                raise ModelError(
                    f"{self.name} predicts until month {last:g} after baseline, not for {months:g}."
                )

    def find_spread(self, months: float) -> float:
        """Return the sd of the error at a horizon, percent of the baseline volume; NaN if none.

        Linear between months that it was fitted for; before the first it is the first's, since the
        error of measuring is there at once.
        """
        if self.spread is None:
            return math.nan
        known, spread = np.array(sorted(zip(self.horizons_months, self.spread, strict=True))).T
        return float(np.interp(months, known, spread))

    def get_grid(self) -> Grid | None:
        """Return the grid of the scans that it reads; None where it has none of its own."""
        if self.shape is None or self.affine is None:
            return None
        return Grid(self.shape, np.array(self.affine))


def write_baseline_folder(
    folder: Path,
    config: BaselineConfig,
    *,
    card: str,
    people: str | None = None,
    write_weights: Callable[[Path], None] | None = None,
    write_beside: Callable[[Path], None] | None = None,
) -> Path:
    """Write a baseline's folder, whole or not at all.

    Parameters
    ----------
    folder
        Must be new or empty.
    config
        What `config.json` says.
    card
        The text of `MODEL_CARD.md`.
    people
        The text of `training_people.json`; none where nobody real was learned from.
    write_weights
        Writes the safetensors, given their path; None where there are none.
    write_beside
        Writes what stands beside the folder, given where the whole folder is until it takes its
        place: with the folder nothing is missing, since a second call would leave it as it is.

    Raises
    ------
    ModelError
        Where the folder holds something.
    """
    if folder.is_dir() and any(folder.iterdir()):
        raise ModelError(f"{folder} holds files already; choose another folder.")
    with write_folder(folder) as partial:
        text = json.dumps(config.model_dump(mode="json"), indent=1) + "\n"
        (partial / CONFIG).write_text(text, encoding="utf-8")
        (partial / CARD).write_text(card, encoding="utf-8")
        if people is not None:
            (partial / TRAINING_PEOPLE).write_text(people, encoding="utf-8")
        if write_weights is not None:
            write_weights(partial / WEIGHTS)
        write_checksums(partial)
        if write_beside is not None:
            write_beside(partial)
    return folder
