"""Sample sizes with both layers of error: of the simulation, of the cohort."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from trialsim.analysis.result import Floats
from trialsim.comparison.candidate_runs import CandidateRun
from trialsim.comparison.cohort_error.bootstrap import CohortVariation
from trialsim.comparison.cohort_error.intervals import (
    MIN_SAMPLES,
    compute_end_error,
    compute_size_interval,
    compute_t_quantile,
)
from trialsim.comparison.sizes.chosen import ChosenSize, correct_choice
from trialsim.comparison.sizes.whole import enroll_whole
from trialsim.costs import Costs

_NORMAL = 1.959963984540054

Estimate = tuple[float, float, float]
"""A value with the ends of its 95 % interval; NaN where there is none."""


@dataclass(frozen=True)
class RepeatedChoice:
    """The cheapest of several choices, with the choice repeated in every bootstrap sample.

    Attributes
    ----------
    place
        Of the choice among all candidates.
    share_chosen
        Share of the samples in which the same one came out; NaN without 200 of them.
    size
        What to propose for it.
    """

    place: int
    share_chosen: float
    size: ChosenSize

    @property
    def proposed(self) -> float:
        """Factor of the size to propose; 1 where it is not known."""
        return self.size.proposed if np.isfinite(self.size.proposed) else 1.0

    @property
    def optimism(self) -> float:
        """Factor that takes the optimism off; 1 where it is not known."""
        return self.size.optimism if np.isfinite(self.size.optimism) else 1.0


class SizeErrors:
    """The sizes found by simulation, joined with the bootstrap of the cohort.

    Parameters
    ----------
    runs
        All candidates.
    cohort
        The bootstrap over them.
    """

    def __init__(self, runs: Sequence[CandidateRun], cohort: CohortVariation) -> None:
        self.runs, self.cohort = runs, cohort

    @property
    def analyses(self) -> list[str]:
        """Every analysis that a candidate has a size of."""
        return list(dict.fromkeys(name for run in self.runs for name in run.sizes))

    @property
    def n_screened(self) -> int:
        """People screened."""
        return self.cohort.n_people

    @property
    def n_archive(self) -> int:
        """People of the archive that stands for those screened; 0 where none does."""
        return self.cohort.n_archive

    @property
    def has_intervals(self) -> bool:
        """Whether there are bootstrap samples enough for an interval."""
        return self.cohort.n_bootstrap >= MIN_SAMPLES

    def list_places(self, analysis: str) -> list[int]:
        """Return the candidates that have the analysis."""
        return [i for i, run in enumerate(self.runs) if analysis in run.sizes]

    def list_too_small(self, analysis: str) -> list[int]:
        """Return the candidates whose smallest trials already reach the target power.

        They need fewer people than any trial that is simulated, and have no size.
        """
        return [
            i
            for i in self.list_places(analysis)
            if np.isnan(self.runs[i].sizes[analysis].n_control)
            and self.runs[i].rejected[analysis][0].mean() >= self.runs[i].design.target_power
        ]

    def get_cohort_factors(self, place: int, analysis: str) -> tuple[float, float]:
        """Return the size's interval for the error of the cohort, as factors of the size."""
        return compute_size_interval(
            self.cohort.log_ratios[analysis][place],
            float(self.cohort.degrees_of_freedom[analysis][place]),
        )

    def get_cohort_sd(self, place: int, analysis: str) -> float:
        """Return the standard deviation of ln size between cohorts; NaN without 200 samples."""
        own = self.cohort.log_ratios[analysis][place]
        known = own[np.isfinite(own)]
        return float(known.std(ddof=1)) if self.has_intervals and len(known) > 1 else np.nan

    def get_archive_sd(self, place: int, analysis: str) -> float:
        """Return the standard deviation of ln size when the archive is drawn again."""
        return float(self.cohort.archive_sds[analysis][place]) if self.has_intervals else np.nan

    def get_end_error(self, place: int, analysis: str) -> float:
        """Return the Monte Carlo standard error of ln of an interval's end."""
        if not self.has_intervals:
            return np.nan
        df = float(self.cohort.degrees_of_freedom[analysis][place])
        return compute_end_error(self.cohort.log_ratios[analysis][place], df)

    def compute_cost(self, place: int, analysis: str, costs: Costs) -> float:
        """Return the cost of a candidate's trial, not rounded to whole people."""
        fixed, each = self._get_cost_line(place, costs)
        return fixed + each * self.runs[place].sizes[analysis].n_control

    def scale_cost(
        self, place: int, analysis: str, costs: Costs, correction: float = 1.0
    ) -> tuple[float, float]:
        """Return the interval of the cost, both layers of error together."""
        size = self.runs[place].sizes[analysis]
        simulated = _NORMAL * _spread(np.log(size.samples))
        ends = []
        for factor, side in zip(self.get_cohort_factors(place, analysis), (-1, 1), strict=True):
            ends.append(np.exp(side * np.hypot(np.log(factor), simulated)))
        fixed, each = self._get_cost_line(place, costs)
        low, high = (fixed + each * size.n_control * correction * end for end in ends)
        return float(low), float(high)

    def compare_sizes(self, own: int, base: int, analysis: str) -> Estimate:
        """Return n of the reference minus n of the strategy, control arm."""
        return self._subtract(own, base, analysis, (0.0, 1.0), (0.0, 1.0))

    def compare_costs(self, own: int, base: int, analysis: str, costs: Costs) -> Estimate:
        """Return the cost of the reference minus that of the strategy."""
        lines = (self._get_cost_line(place, costs) for place in (own, base))
        return self._subtract(own, base, analysis, *lines)

    def compare_budgets(self, own: int, base: int, analysis: str, costs: Costs) -> Estimate:
        """Return the power of the strategy's trial for what the reference's costs at the target."""
        fixed, each = self._get_cost_line(own, costs)
        if not each:
            return np.nan, np.nan, np.nan
        design = self.runs[own].design
        critical = special.ndtri(1 - design.alpha / design.sides)
        drift = special.ndtri(design.target_power) + critical
        n_own = self.runs[own].sizes[analysis].n_control
        affordable = (self.compute_cost(base, analysis, costs) - fixed) / each
        ratio = np.log(max(affordable, 1e-9) / n_own)
        paired = self._draw(base, analysis) - self._draw(own, analysis)
        half = self._widen(paired, own, base, analysis)
        ends = [ratio, ratio - half, ratio + half]
        value, low, high = special.ndtr(drift * np.exp(np.array(ends) / 2) - critical)
        return float(value), float(low), float(high)

    def repeat_choice(self, members: list[int], analysis: str, costs: Costs) -> RepeatedChoice:
        """Return the cheapest of the members (the smallest, where nothing costs)."""
        best = int(np.nanargmin([self._count_whole(i, analysis, costs) for i in members]))
        place = members[best]
        nothing = ChosenSize(*[np.nan] * 5)
        if not self.has_intervals:
            return RepeatedChoice(place, np.nan, nothing)
        samples = np.array([self.draw_cost(i, analysis, costs) for i in members])
        size = correct_choice(
            best,
            np.array([self._draw(i, analysis) for i in members]),
            np.log(samples),
            float(self.cohort.degrees_of_freedom[analysis][place]),
            self.runs[place].design,
        )
        return RepeatedChoice(place, float((samples.argmin(axis=0) == best).mean()), size)

    def draw_cost(self, place: int, analysis: str, costs: Costs) -> Floats:
        """Return the cost in each bootstrap sample; people in control where nothing costs."""
        drawn = self._minimize(place, analysis, costs, self._draw(place, analysis))
        return np.nan_to_num(drawn, nan=np.inf, posinf=np.inf)

    def _count_whole(self, place: int, analysis: str, costs: Costs) -> float:
        """Return the cost of whole people; people in control where nothing costs."""
        run = self.runs[place]
        n_control = run.sizes[analysis].n_control
        if not costs.is_priced:
            return n_control
        return enroll_whole(run.candidate, run.design, n_control, costs).cost

    def _minimize(
        self, place: int, analysis: str, costs: Costs, log_ratio: Floats | float
    ) -> Floats:
        fixed, each = self._get_cost_line(place, costs)
        n_control = self.runs[place].sizes[analysis].n_control * np.exp(log_ratio)
        if not costs.is_priced:
            return np.asarray(n_control)
        return np.asarray(fixed + each * n_control)

    def _get_cost_line(self, place: int, costs: Costs) -> tuple[float, float]:
        """Return the cost without people, and for each person in control."""
        run = self.runs[place]
        fixed, each = costs.compute_cost_line(
            fraction_enrolled=run.candidate.fraction_enrolled,
            is_screened=run.candidate.is_screened,
            months=run.design.duration_months,
            n_visits=len(run.design.times),
        )
        return fixed, each * (1 + run.design.allocation_ratio)

    def _draw(self, place: int, analysis: str) -> Floats:
        """Return ln of sizes over that found, with both layers, paired across candidates."""
        size, cohort = self.runs[place].sizes[analysis], self.cohort.log_ratios[analysis][place]
        simulated = np.log(size.samples / size.n_control)
        return np.asarray(np.resize(simulated, cohort.size) + cohort)

    def _subtract(
        self,
        own: int,
        base: int,
        analysis: str,
        own_line: tuple[float, float],
        base_line: tuple[float, float],
    ) -> Estimate:
        values, samples = [], []
        for place, (fixed, each) in ((base, base_line), (own, own_line)):
            n_control = self.runs[place].sizes[analysis].n_control
            values.append(fixed + each * n_control)
            drawn = self._draw(place, analysis)
            # a size that a sample does not reach is infinite: so many people cost nothing, too
            grown = n_control * np.exp(drawn) if each else np.zeros(len(drawn))
            samples.append(fixed + each * grown)
        half = self._widen(samples[0] - samples[1], own, base, analysis)
        value = values[0] - values[1]
        return value, value - half, value + half

    def _widen(self, samples: Floats, own: int, base: int, analysis: str) -> float:
        """Return half the width of an interval; NaN where there is none to be had."""
        known = np.isfinite(samples)
        unreached = len(samples) == 0 or 1 - known.mean() > 0.025
        if not self.has_intervals or unreached or np.ptp(samples[known]) == 0:
            return np.nan
        df = float(self.cohort.degrees_of_freedom[analysis][[own, base]].min())
        return compute_t_quantile(df) * _spread(samples)


def _spread(samples: Floats) -> float:
    known = samples[np.isfinite(samples)]
    return float(known.std(ddof=1)) if len(known) > 1 else 0.0
