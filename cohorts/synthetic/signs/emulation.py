"""Measured signs of people whose scans are not rendered, emulated from those that are.

What somebody reads in an image is the sign itself, through anatomy, partial volume and texture. On
rendered people each measured sign is regressed on the signs that it is meant to show; others get
the regression's value and all residuals of one rendered person drawn at random.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from cohorts.synthetic.signs.lobes import LOBES

MEASURES: Final = (
    *(f"contrast_{lobe}" for lobe in LOBES),
    "lesions",
    "head_share",
    "ca1_share",
    *(f"thickness_{lobe}" for lobe in LOBES),
)
"""What `measure_signs` returns."""


@dataclass(frozen=True)
class SignReader:
    """How signs come out where they are measured.

    Parameters
    ----------
    weights
        Of each measure's regression.
    residuals
        (people, measures).
    """

    weights: dict[str, npt.NDArray[np.float64]]
    residuals: npt.NDArray[np.float64]

    @classmethod
    def fit(cls, rendered: pd.DataFrame, prefix: str = "ideal_") -> "SignReader":
        """Learn it from rendered people.

        Parameters
        ----------
        rendered
            `sign_...`, `true_...` and, with the prefix, `MEASURES`; a row a person.
        prefix
            Of the columns with measured signs.
        """
        weights, residuals = {}, []
        for measure in MEASURES:
            x, y = _list_predictors(rendered, measure), rendered[prefix + measure].to_numpy(float)
            weights[measure] = np.linalg.lstsq(x, y, rcond=None)[0]
            inflation = np.sqrt(len(x) / max(1, len(x) - x.shape[1]))
            residuals.append((y - x @ weights[measure]) * inflation)
        return cls(weights, np.stack(residuals, axis=1))

    def emulate(self, people: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
        """Return `MEASURES` of people with `sign_...` and `true_...`, a row a person."""
        drawn = self.residuals[rng.integers(len(self.residuals), size=len(people))]
        found = {
            measure: _list_predictors(people, measure) @ self.weights[measure] + drawn[:, k]
            for k, measure in enumerate(MEASURES)
        }
        return pd.DataFrame(found, index=people.index)


def _list_predictors(people: pd.DataFrame, measure: str) -> npt.NDArray[np.float64]:
    """Return 1 and what a measure shows: its own sign, and what stands beside it."""
    kind, _, lobe = measure.partition("_")
    if kind == "contrast":
        own = [people[f"sign_brightening_{lobe}"]]
        own.append(people[[f"sign_brightening_{other}" for other in LOBES]].mean(axis=1))
    elif kind == "thickness":
        own = [people["sign_pattern_mm"], np.log(people["true_cerebral_cortex"])]
    elif kind == "lesions":
        own = [np.log(50 + people["sign_lesion_mm3"])]
    else:
        own = [people["sign_head_mm"], people["sign_ca1_mm"]]
    columns = [np.ones(len(people)), *(column.to_numpy(float) for column in own)]
    return np.stack(columns, axis=1)
