"""Examples that show as much of a person's change as a context tells them to.

A network that learns from a few hundred people, each with the one change that they had, can come to
know them by their scans: it then adds to what it is told, of new people too, where that is error.
Here what is told is drawn apart from the person, and the example shows the share of the person's
change that this calls for. A scan says nothing of the share, so the network learns to follow.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from brlp_models.auxiliary.told import FASTEST, LEAST_EXPECTED
from brlp_models.errors import ModelError
from brlp_models.training.banks.pairs import VisitPairs

LEAST_CHANGE: Final = -0.005
"""Change of the lead's log volume a year of which shares can be shown: less is mostly noise."""

LEAST_SHARE: Final = -0.3
MOST_SHARE: Final = 1.5
"""Between two visits latents can be interpolated; hardly beyond them."""

LEAST_ERROR: Final = 0.0025
"""Sd of the error of what is told, change of the log volume a year, where no change is told."""

_TRIES: Final = 200

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ToldExample:
    """A pair, how much of its change is shown, and the context that tells it.

    Parameters
    ----------
    pair
        Which.
    share
        Of its change, from `LEAST_SHARE` to `MOST_SHARE`; 1 shows the later visit.
    context
        The raw values of the context, one row.
    """

    pair: int
    share: float
    context: pd.DataFrame


@dataclass(frozen=True)
class ToldChanges:
    """Told changes, and pairs that can show them.

    Parameters
    ----------
    pairs
        Their context holds what is expected of each person by whoever has not seen them.
    regions
        Whose changes the context holds, the lead among them.
    lead
        The region whose change is told; the others keep pace with it, as
        `brlp_models.auxiliary.told.ToldRatios` has them.
    years, changes
        From the earlier to the later visit, and what the lead's log volume truly changed in a year
        of them, each (pairs,).
    error
        Sd of what is shown around what is told, as a share of the latter: that of a prediction.
    """

    pairs: VisitPairs
    regions: tuple[str, ...]
    lead: str
    years: Floats
    changes: Floats
    error: float

    @classmethod
    def of(
        cls, pairs: VisitPairs, index: pd.DataFrame, *, lead: str, error: float
    ) -> "ToldChanges":
        """Return those of a bank.

        Raises
        ------
        ModelError
            Where the context does not hold the change of `lead`, or nobody lost any of it.
        """
        kinds = (str(column).partition(":") for column in pairs.values)  # noqa: PD011
        regions = tuple(region for kind, _, region in kinds if kind == "change")
        if lead not in regions:
            raise ModelError(
                f'volumes = "told" needs change:{lead} in [[model.context]], which has '
                f"{', '.join(f'change:{region}' for region in regions) or 'no change'}."
            )
        before, after = (index.loc[pairs.rows[:, k]] for k in (0, 1))
        years = after["age_years"].to_numpy(float) - before["age_years"].to_numpy(float)
        ratios = after[f"{lead}_mm3"].to_numpy(float) / before[f"{lead}_mm3"].to_numpy(float)
        changes = np.log(ratios) / years
        if not (changes < LEAST_CHANGE).any():
            raise ModelError(
                f'volumes = "told" shows shares of what people lost of the {lead}; nobody lost '
                f"more than {-100 * LEAST_CHANGE:g} % of it a year."
            )
        return cls(pairs, regions, lead, years, changes, error)

    def draw(self, rng: np.random.Generator) -> ToldExample:
        """Return an example, told the yearly change of anybody.

        The error is drawn before the pair that can show the sum, so that whom a change can be
        shown in does not make it larger or smaller than what is told.
        """
        while True:
            told = float(rng.choice(self.changes))
            shown = told + rng.normal(0.0, np.hypot(LEAST_ERROR, self.error * told))
            for pair in rng.integers(0, len(self.pairs), _TRIES):
                own = self.changes[pair]
                if own < LEAST_CHANGE and LEAST_SHARE <= shown / own <= MOST_SHARE:
                    return ToldExample(int(pair), float(shown / own), self._tell(int(pair), told))

    def _tell(self, pair: int, told: float) -> pd.DataFrame:
        row = self.pairs.values.iloc[[pair]].copy()  # noqa: PD011
        later = row[[f"volume:{region}" for region in self.regions]].to_numpy(float)[0]
        changes = row[[f"change:{region}" for region in self.regions]].to_numpy(float)[0]
        start, lead = later - changes, self.regions.index(self.lead)
        expected = np.log(later / start)
        change = told * self.years[pair]
        pace = np.clip(-change / max(-expected[lead], LEAST_EXPECTED), 0.0, FASTEST)
        ratios = np.exp(np.where(np.arange(len(later)) == lead, change, pace * expected))
        for region, first, ratio in zip(self.regions, start, ratios, strict=True):
            row[f"volume:{region}"] = first * ratio
            row[f"change:{region}"] = first * (ratio - 1)
        return row
