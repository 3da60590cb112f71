"""Trials that start with everyone and may go on with those who decline fastest."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from cohorts.counting import tally
from trialsim.adaptive.combination import combine_stages
from trialsim.adaptive.intersection import IntersectionTest, intersect
from trialsim.adaptive.stages import StageSample, compare_samples, draw_sample
from trialsim.analytic import GroupSequentialDesign
from trialsim.analytic.arguments import ANY, COUNT, NOT_NEGATIVE, find_problems, raise_problems
from trialsim.analytic.point import FloatArray
from trialsim.analytic.prognostic import compute_selected_decline
from trialsim.costs import Costs
from trialsim.errors import DesignError

EVERYONE, SELECTED, STOPPED = 0, 1, 2


@dataclass(frozen=True)
class Population:
    """Those whom a score selects, within everyone.

    Attributes
    ----------
    fraction
        Share of everyone who is selected.
    effect_selected, effect_rest
        Difference between the arms.
    sd_selected, sd_rest
        Standard deviation within an arm.

    Raises
    ------
    DesignError
        A fraction that selects nobody or everyone, an effect that is no number, a standard
        deviation that is not positive.
    """

    fraction: float
    effect_selected: float
    effect_rest: float
    sd_selected: float = 1.0
    sd_rest: float = 1.0

    def __post_init__(self) -> None:
        effects = {"effect_selected": self.effect_selected, "effect_rest": self.effect_rest}
        problems = find_problems(**{name: (value, ANY) for name, value in effects.items()})
        if not 0 < self.fraction < 1:
            problems.append(
                f"fraction must lie between 0 and 1, both excluded, got {self.fraction:g}."
            )
        if not min(self.sd_selected, self.sd_rest) > 0:
            problems.append("Standard deviations must be greater than 0.")
        if problems:
            raise DesignError(*problems)

    @classmethod
    def from_score(
        cls,
        *,
        mean_decline: float,
        sd_decline: float,
        score_correlation: float,
        fraction: float,
        slowing: float,
    ) -> "Population":
        """Return the population of a prognostic score, with a treatment that slows all decline.

        Decline among the selected is a truncated normal's, as in `prognostic_enrichment`.
        """
        chosen = compute_selected_decline(mean_decline, sd_decline, score_correlation, fraction)
        rest_share = 1 - fraction
        mean_rest = (mean_decline - fraction * chosen.mean) / rest_share
        second = sd_decline**2 + mean_decline**2
        chosen_second = float(chosen.sd) ** 2 + float(chosen.mean) ** 2
        sd_rest = np.sqrt((second - fraction * chosen_second) / rest_share - mean_rest**2)
        return cls(
            fraction,
            slowing * float(chosen.mean),
            slowing * float(mean_rest),
            float(chosen.sd),
            float(sd_rest),
        )

    @property
    def effect(self) -> float:
        """Difference between the arms in everyone."""
        return self.fraction * self.effect_selected + (1 - self.fraction) * self.effect_rest


@dataclass(frozen=True)
class EnrichmentRule:
    """What happens at the look.

    Attributes
    ----------
    design
        Two looks, one side: bounds of the combined statistic, weights of the stages.
    margin
        The selected go on alone where their estimate exceeds that of everyone by more than this.
    stop_below
        The trial stops where the larger of the two z is below this; minus infinity for never.
    test
        Of "the treatment works in neither"; Spiessens-Debois knows how the two overlap.
    success
        Whether the trial stops at the look once "any" hypothesis is rejected, or only with "all".

    Raises
    ------
    DesignError
        A design of other than two looks or with two sides, an unknown test or success.
    """

    design: GroupSequentialDesign
    margin: float = 0.0
    stop_below: float = -np.inf
    test: IntersectionTest = "spiessens_debois"
    success: Literal["any", "all"] = "any"

    def __post_init__(self) -> None:
        problems = []
        if self.design.n_looks != 2 or self.design.sides != 1:
            problems.append(
                "Adaptive enrichment needs a one-sided design of two looks, got "
                f"{self.design.n_looks} looks, {self.design.sides} sides."
            )
        known = {"test": get_args(IntersectionTest), "success": ("any", "all")}
        problems += [
            f"{name} must be one of {', '.join(words)}, got {getattr(self, name)!r}."
            for name, words in known.items()
            if getattr(self, name) not in words
        ]
        if problems:
            raise DesignError(*problems)


@dataclass(frozen=True)
class AdaptiveEnrichment:
    """What simulated trials did.

    Attributes
    ----------
    reject_any, reject_everyone, reject_selected
        Share that rejects no effect in either, in everyone, in the selected.
    chose_everyone, chose_selected, stopped_early
        Share of the trials that went on with each, that stopped at the look.
    expected_n, expected_screened, expected_cost, expected_months
        On average; months and their cost are NaN where the screening rate is not known, and trials
        that stop then count the people of the first stage alone.
    n_simulations
        Trials behind it.
    """

    reject_any: float
    reject_everyone: float
    reject_selected: float
    chose_everyone: float
    chose_selected: float
    stopped_early: float
    expected_n: float
    expected_screened: float
    expected_cost: float
    expected_months: float
    n_simulations: int

    @property
    def mcse(self) -> float:
        """Monte Carlo standard error of `reject_any`."""
        share = self.reject_any
        return float(np.sqrt(share * (1 - share) / self.n_simulations))


def simulate_adaptive_enrichment(
    rule: EnrichmentRule,
    population: Population,
    *,
    n_total: int,
    followup_months: float = 0.0,
    costs: Costs | None = None,
    start: Literal["everyone", "selected"] = "everyone",
    n_simulations: int = 20_000,
    seed: int = 1,
) -> AdaptiveEnrichment:
    """Return what trials do that may be enriched at their look.

    The look comes when the first stage has been followed to its last visits. Enrollment waits for
    it, since whom the second stage enrolls is chosen there; with `start` "selected" it goes on, and
    a trial that stops has enrolled whoever came by then.

    Closed testing: an elementary hypothesis is rejected where its combined statistic and that of
    the intersection both cross the bound of the look (Brannath et al. 2009, Stat Med 28:1445).
    Stages are combined by the inverse normal with planned weights, so the choice at the look may
    depend on all data of the first stage.

    Parameters
    ----------
    rule
        How a trial is enriched.
    population
        Whom it enrolls, and what the treatment does for them.
    n_total
        People of both arms by the end of a trial that does not stop; a share of them, the design's
        first information rate, before the look. Arms are equal.
    followup_months
        From the last person enrolled to the last visit.
    costs
        Prices and the screening rate.
    start
        "selected" enrolls the selected from the start and keeps to them: the design to compare
        with.
    n_simulations, seed
        Trials, and the stream they come from.

    Raises
    ------
    DesignError
        So few people that a stage has fewer than two of a kind in an arm, another start, no
        simulations, months that are negative or no number.
    """
    raise_problems(
        find_problems(
            n_simulations=(n_simulations, COUNT), followup_months=(followup_months, NOT_NEGATIVE)
        )
    )
    if start not in ("everyone", "selected"):
        raise DesignError(f"start must be everyone or selected, got {start!r}.")
    rng = np.random.default_rng(seed)
    first = round(n_total * float(rule.design.information_rates[0]))
    stages = (first, n_total - first)
    _check_sizes(stages, population, start)
    if start == "selected":
        decided = _run_selected(rng, rule, population, stages, n_simulations)
    else:
        decided = _run_everyone(rng, rule, population, stages, n_simulations)
    return _summarize(decided, population, stages, costs or Costs(), followup_months, start)


@dataclass(frozen=True)
class _Decided:
    """What each trial did, (n_trials,) each."""

    everyone: NDArray[np.bool_]
    selected: NDArray[np.bool_]
    choice: NDArray[np.intp]


def _check_sizes(stages: tuple[int, int], population: Population, start: str) -> None:
    smallest = 1.0 if start == "selected" else min(population.fraction, 1 - population.fraction)
    if min(stages) / 2 * smallest < 2:
        raise DesignError(
            f"Stages of {stages[0]} and {tally(stages[1], 'people')} leave fewer than 2 of "
            "a kind in an arm: "
            "enroll more, or move the look."
        )


def _run_selected(
    rng: np.random.Generator,
    rule: EnrichmentRule,
    population: Population,
    stages: tuple[int, int],
    n: int,
) -> _Decided:
    p = np.array([_test_selected(rng, population, size, n)[0] for size in stages])
    z = combine_stages(p, rule.design.information_rates)
    early = z[0] >= rule.design.efficacy_z[0]
    stopped = early | (z[0] < max(rule.stop_below, float(rule.design.futility_z[0])))
    rejected = early | (~stopped & (z[1] >= rule.design.efficacy_z[1]))
    return _Decided(np.zeros(n, bool), rejected, np.where(stopped, STOPPED, SELECTED))


def _run_everyone(
    rng: np.random.Generator,
    rule: EnrichmentRule,
    population: Population,
    stages: tuple[int, int],
    n: int,
) -> _Decided:
    bounds, rates = rule.design.efficacy_z, rule.design.information_rates
    overlap = float(np.sqrt(population.fraction))
    p_everyone, p_selected, excess = _test_both(rng, population, stages[0], n)
    p_both = intersect(np.array([p_everyone, p_selected]), rule.test, overlap)
    z = combine_stages(np.array([[p_everyone, p_selected, p_both]]), rates)[0]
    both_early = z[2] >= bounds[0]
    early = both_early & (z[:2] >= bounds[0])
    futile = z[:2].max(axis=0) < max(rule.stop_below, float(rule.design.futility_z[0]))
    won = early.any(axis=0) if rule.success == "any" else early.all(axis=0)
    stopped = won | futile
    enriched = excess > rule.margin
    p_second, *_ = _test_both(rng, population, stages[1], n)
    q_alone, _ = _test_selected(rng, population, stages[1], n)
    # a hypothesis that is dropped cannot be rejected any more
    second = np.where(enriched, q_alone, p_second)
    carried = np.where(enriched, p_selected, p_everyone)
    own = combine_stages(np.array([carried, second]), rates)[1]
    together = combine_stages(np.array([p_both, second]), rates)[1]
    late = ~stopped & (own >= bounds[1]) & (together >= bounds[1])
    return _Decided(
        early[0] | (late & ~enriched),
        early[1] | (late & enriched),
        np.where(stopped, STOPPED, np.where(enriched, SELECTED, EVERYONE)),
    )


def _test_selected(
    rng: np.random.Generator, population: Population, size: int, n: int
) -> tuple[FloatArray, FloatArray]:
    """Return p value and estimate of a stage that enrolls the selected only."""
    control, treatment = (
        draw_sample(rng, n, size / 2, effect, population.sd_selected)
        for effect in (0.0, population.effect_selected)
    )
    return compare_samples(control, treatment)


def _test_both(
    rng: np.random.Generator, population: Population, size: int, n: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return p values of everyone and of the selected, and by how much the selected gain more."""
    strata = []
    for share, effect, sd in (
        (population.fraction, population.effect_selected, population.sd_selected),
        (1 - population.fraction, population.effect_rest, population.sd_rest),
    ):
        arms = [draw_sample(rng, n, size / 2 * share, mean, sd) for mean in (0.0, effect)]
        strata.append(_Stratum(share, *arms))
    selected, rest = strata
    estimate = selected.share * selected.estimate + rest.share * rest.estimate
    variance = selected.share**2 * selected.variance + rest.share**2 * rest.variance
    p_selected, of_selected = compare_samples(selected.control, selected.treatment)
    p_everyone = special.stdtr(selected.df + rest.df, -estimate / np.sqrt(variance))
    return p_everyone, p_selected, of_selected - estimate


@dataclass(frozen=True)
class _Stratum:
    share: float
    control: StageSample
    treatment: StageSample

    @property
    def estimate(self) -> FloatArray:
        return np.asarray(self.treatment.mean - self.control.mean)

    @property
    def df(self) -> FloatArray:
        return np.asarray(self.control.n + self.treatment.n - 2)

    @property
    def variance(self) -> FloatArray:
        within = (self.control.squares + self.treatment.squares) / self.df
        return np.asarray(within * (1 / self.control.n + 1 / self.treatment.n))


def _summarize(
    decided: _Decided,
    population: Population,
    stages: tuple[int, int],
    costs: Costs,
    followup_months: float,
    start: str,
) -> AdaptiveEnrichment:
    choice, passing = decided.choice, 1 - costs.failure_rate
    share = population.fraction if start == "selected" else 1.0
    first = stages[0] / share / passing
    look = costs.compute_months(first) + followup_months
    # whom the second stage enrolls is known at the look, which waits for the first stage's last
    # visits; where that is known from the start, enrollment goes on meanwhile
    waits = followup_months if start == "everyone" else 0.0
    come = stages[0] if waits else costs.count_screened(look) * share * passing
    by_look = min(max(come, stages[0]), sum(stages))
    rare = np.where(choice == SELECTED, stages[1] / population.fraction, stages[1]) / passing
    people = np.where(choice == STOPPED, by_look, sum(stages))
    screened = np.where(choice == STOPPED, by_look / share / passing, first + rare)
    # screening for the score is paid for from the start: the look needs everyone's score
    money = costs.participant * people + costs.screening * screened
    screening = np.array([costs.compute_months(n) for n in first + rare])
    end = screening + waits + followup_months
    months = np.where(choice == STOPPED, look, end)
    if costs.per_month:
        money = money + costs.per_month * months
    return AdaptiveEnrichment(
        float((decided.everyone | decided.selected).mean()),
        float(decided.everyone.mean()),
        float(decided.selected.mean()),
        float((choice == EVERYONE).mean()),
        float((choice == SELECTED).mean()),
        float((choice == STOPPED).mean()),
        float(people.mean()),
        float(screened.mean()),
        float(money.mean()),
        float(months.mean()),
        len(people),
    )


def compare_with_enriching_from_the_start(
    rule: EnrichmentRule, population: Population, **options: object
) -> pd.DataFrame:
    """Return adaptive enrichment beside enriching from the start, one row a design.

    Parameters
    ----------
    options
        As in `simulate_adaptive_enrichment`, without `start`.
    rule
        How a trial is enriched.
    population
        Whom it enrolls, and what the treatment does for them.
    """
    rows = []
    for name, start in (("adaptive", "everyone"), ("enriched from the start", "selected")):
        found = simulate_adaptive_enrichment(rule, population, start=start, **options)  # type: ignore[arg-type]
        rows.append({"design": name, **vars(found), "mcse": found.mcse})
    return pd.DataFrame(rows)
