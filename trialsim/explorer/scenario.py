"""What a design would need: the closed forms at every move of a slider."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np
import pandas as pd

from trialsim.analyses import ANALYSES
from trialsim.analysis.result import Floats
from trialsim.analytic import prognostic_enrichment
from trialsim.comparison.candidates import Candidate
from trialsim.comparison.closed_form import Moments, compute_sample_sizes, has_closed_form
from trialsim.comparison.pool_moments import list_months, read_pools
from trialsim.comparison.sizes.whole import enroll_whole_trials
from trialsim.costs import Costs
from trialsim.design import TrialDesign
from trialsim.errors import DesignError

COLUMNS: Final = (
    "strategy",
    "fraction_enrolled",
    "n_control",
    "n_treatment",
    "n_to_screen",
    "cost",
    "months_to_enroll",
)

ASSUMED: Final = "score"
"""The strategy of the calculator, which knows of a score only how it correlates with decline."""


@dataclass(frozen=True)
class Scenario:
    """One state of the sliders.

    Attributes
    ----------
    design
        With one analysis.
    costs
        Of a person screened and a person enrolled.
    strategy, fraction_enrolled
        The choice that is looked at.
    """

    design: TrialDesign
    costs: Costs
    strategy: str
    fraction_enrolled: float

    @property
    def analysis(self) -> str:
        """The analysis of the trial."""
        return self.design.analyses[0]


class Source(Protocol):
    """What knows the people whom a choice enrolls."""

    def compute_choices(self, scenario: Scenario) -> pd.DataFrame:
        """Return one row of `COLUMNS` a choice; NaN where no trial reaches the power."""


@dataclass(frozen=True)
class StudySource:
    """The people of a study, by the moments that its last `trialsim power` wrote.

    Attributes
    ----------
    pools
        (strategy, fraction enrolled) -> its rows of the table `pool_moments`.
    """

    pools: Mapping[tuple[str, float], pd.DataFrame]
    _known: dict[tuple[float, ...], dict[tuple[str, float], Moments]] = field(
        default_factory=dict, repr=False
    )

    @classmethod
    def read(cls, table: pd.DataFrame) -> "StudySource":
        """Return the source of a table `pool_moments`."""
        pools: dict[tuple[str, float], pd.DataFrame] = {}
        for _, rows in table.groupby(["strategy", "fraction_enrolled"], sort=False):
            pools[str(rows["strategy"].iloc[0]), float(rows["fraction_enrolled"].iloc[0])] = rows
        return cls(pools)

    @property
    def months(self) -> list[float]:
        """Months of the visits that the people have."""
        return list_months(next(iter(self.pools.values())))

    def list_analyses(self) -> list[str]:
        """Return the analyses that the moments can answer."""
        has_lines = any((rows["quantity"] == "slope").any() for rows in self.pools.values())
        return [
            name
            for name, kind in ANALYSES.items()
            if kind.imputation is None and (has_lines or not kind.compares_slopes)
        ]

    def compute_choices(self, scenario: Scenario) -> pd.DataFrame:
        """Return one row of `COLUMNS` a choice.

        Raises
        ------
        DesignError
            Where no formula answers the design.
        """
        design, analysis = scenario.design, scenario.analysis
        if not has_closed_form(analysis, design):
            raise DesignError(
                f"No formula answers {analysis} with this effect and drop-out; simulate it."
            )
        pools = self._read(tuple(design.visits_months))
        asked = {
            Candidate(*choice): moments
            for choice, moments in pools.items()
            if not ANALYSES[analysis].uses_score or moments.covariance[-1, -1] > 0
        }
        sizes = compute_sample_sizes(analysis, list(asked.values()), design)
        return _enroll(list(asked), sizes, scenario)

    def _read(self, months: tuple[float, ...]) -> dict[tuple[str, float], Moments]:
        if months not in self._known:
            moments = read_pools(list(self.pools.values()), months)
            self._known[months] = dict(zip(self.pools, moments, strict=True))
        return self._known[months]


@dataclass(frozen=True)
class AssumedSource:
    """Assumed people: decline and its correlation with a score, in numbers.

    Attributes
    ----------
    mean_decline, sd_decline
        Of everyone eligible, from baseline to the last visit.
    score_correlation
        Of the score with decline.
    fractions
        The fractions enrolled that are answered.
    """

    mean_decline: float = 4.0
    sd_decline: float = 4.0
    score_correlation: float = 0.4
    fractions: tuple[float, ...] = tuple(float(f) for f in np.arange(1, 21) / 20)

    def compute_choices(self, scenario: Scenario) -> pd.DataFrame:
        """Return one row of `COLUMNS` a fraction; 1 enrolls everyone without a scan.

        Raises
        ------
        DesignError
            One sentence for each number that cannot be.
        """
        design = scenario.design
        point = prognostic_enrichment(
            mean_decline=self.mean_decline,
            sd_decline=self.sd_decline,
            score_correlation=self.score_correlation,
            fraction_enrolled=np.array(self.fractions),
            slowing=design.slowing,
            adjust_for_score=ANALYSES[scenario.analysis].uses_score,
            retention=float(design.compute_retention(0)[-1]),
            power=design.target_power,
            alpha=design.alpha,
            sides=design.sides,
            allocation_ratio=design.allocation_ratio,
            distribution="t",
        )
        choices = [
            Candidate("random" if fraction == 1 else ASSUMED, fraction)
            for fraction in self.fractions
        ]
        return _enroll(choices, np.asarray(point.n_control), scenario)


def _enroll(choices: Sequence[Candidate], n_control: Floats, scenario: Scenario) -> pd.DataFrame:
    """Return one row of `COLUMNS` a choice, of whole people."""
    whole = enroll_whole_trials(choices, scenario.design, n_control, scenario.costs)
    table = pd.DataFrame(whole, columns=list(COLUMNS[2:]))
    table.insert(0, "strategy", [choice.strategy for choice in choices])
    table.insert(1, "fraction_enrolled", [choice.fraction_enrolled for choice in choices])
    return table
