"""What to propose: the cheapest attainable choice, its size, and what is not known about it."""

from typing import Any, Final

import numpy as np
import pandas as pd
from scipy import special

from cohorts.counting import tally
from trialsim.comparison.candidate_runs import SMALLEST_ARM
from trialsim.comparison.sizes.errors import Estimate, RepeatedChoice, SizeErrors
from trialsim.comparison.sizes.whole import enroll_whole
from trialsim.comparison.tables import pair_with_reference
from trialsim.costs import Costs
from trialsim.simulation.pool import SMALL_POOL, Pool

SETTLED: Final = 0.70
"""Share of the samples in which a choice must come out the same to count as settled."""

TRULY_CHEAPEST: Final = ((0.40, 0.40), (0.55, 0.53), (0.70, 0.65), (0.85, 0.77), (1.0, 0.90))
"""Up to which share of samples a choice is truly the cheapest how often, as measured."""

_COLUMNS = [
    "analysis", "strategy", "fraction_enrolled", "target_power", "n_control", "n_control_proposed",
    "n_treatment_proposed", "n_to_screen", "cost", "months_to_enroll", "optimism_factor",
    "uncorrected_power", "expected_power", "low_power_probability", "n_control_assured",
    "n_treatment_assured", "share_chosen", "truly_cheapest_rate", "pool_size", "saving_cost",
    "saving_cost_lower", "saving_cost_upper", "n_screened_to_settle", "is_settled", "doubts",
]  # fmt: skip


def tabulate_proposals(errors: SizeErrors, costs: Costs, reference: str) -> pd.DataFrame:
    """Return the table `proposed_sizes`: one row an analysis.

    The proposed arms are those of the choice after the winner's curse, with expected power at the
    target, rounded up; number to screen, cost and months follow from them. Where nothing costs, the
    smallest trial is chosen, and no cost is saved: the people spared stand in
    `sample_size_savings`.
    """
    rows = [_propose(errors, analysis, costs, reference) for analysis in errors.analyses]
    return pd.DataFrame([row for row in rows if row], columns=_COLUMNS)


def _propose(
    errors: SizeErrors, analysis: str, costs: Costs, reference: str
) -> dict[str, Any] | None:
    places = [
        i
        for i in errors.list_places(analysis)
        if errors.runs[i].candidate.is_attainable
        and np.isfinite(errors.runs[i].sizes[analysis].n_control)
    ]
    if not places:
        return None
    repeated = errors.repeat_choice(places, analysis, costs)
    run = errors.runs[repeated.place]
    n_control = run.sizes[analysis].n_control
    whole = enroll_whole(run.candidate, run.design, n_control * repeated.proposed, costs)
    assured = enroll_whole(run.candidate, run.design, n_control * repeated.size.assured, costs)
    saving = _compare(errors, repeated.place, analysis, costs, reference)
    doubts = _list_doubts(errors, repeated, analysis, saving, costs)
    saved = saving if costs.is_priced else (np.nan, np.nan, np.nan)
    return {
        "analysis": analysis,
        "strategy": run.candidate.strategy,
        "fraction_enrolled": run.candidate.fraction_enrolled,
        "target_power": run.design.target_power,
        "n_control": n_control,
        "n_control_proposed": whole.n_control,
        "n_treatment_proposed": whole.n_treatment,
        "n_to_screen": whole.n_to_screen,
        "cost": whole.cost,
        "months_to_enroll": whole.months_to_enroll,
        "optimism_factor": repeated.size.optimism,
        "uncorrected_power": repeated.size.uncorrected_power,
        "expected_power": run.design.target_power if errors.has_intervals else np.nan,
        "low_power_probability": repeated.size.low_power_probability,
        "n_control_assured": assured.n_control,
        "n_treatment_assured": assured.n_treatment,
        "share_chosen": repeated.share_chosen,
        "truly_cheapest_rate": get_truly_cheapest_rate(repeated.share_chosen),
        "pool_size": run.pool.n_people,
        "saving_cost": saved[0],
        "saving_cost_lower": saved[1],
        "saving_cost_upper": saved[2],
        "n_screened_to_settle": count_to_settle(saving, errors.n_screened),
        "is_settled": not doubts,
        "doubts": " ".join(doubts),
    }


def get_truly_cheapest_rate(share_chosen: float) -> float:
    """Return how often a choice that came out in this share of samples truly was the cheapest.

    Measured on synthetic cohorts of 60 and 200 people (methods-simulation.md); NaN where the share
    is not known.
    """
    return next((rate for upper, rate in TRULY_CHEAPEST if share_chosen <= upper), np.nan)


def count_to_settle(saving: Estimate, n_screened: int) -> float:
    """Return how many more people must be screened for the saving's interval to leave out 0.

    The half width of an interval falls with the root of the number of people:
    M = N ((half width / saving)^2 - 1); NaN where the saving is not above 0 or has no interval, 0
    where the interval leaves 0 out already.
    """
    value, low, _ = saving
    if not np.isfinite(low) or value <= 0:
        return np.nan
    return float(np.ceil(max(n_screened * (((value - low) / value) ** 2 - 1), 0.0)))


def _compare(
    errors: SizeErrors, place: int, analysis: str, costs: Costs, reference: str
) -> Estimate:
    for base, run, name in pair_with_reference(errors.runs, reference):
        if run is errors.runs[place] and name == analysis:
            pair = (place, next(i for i, one in enumerate(errors.runs) if one is base))
            if costs.is_priced:
                return errors.compare_costs(*pair, analysis, costs)
            return errors.compare_sizes(*pair, analysis)
    return np.nan, np.nan, np.nan


def count_to_repeat(share: float, n_screened: int) -> float:
    """Return how many more people screened would let a choice come out in 70 % of the samples.

    A difference of two costs has an error that falls with the root of the number of people, so
    that a share Phi(d) becomes Phi(d sqrt(1 + M / N)). NaN where the choice came out in half of
    the samples or fewer: its rivals may be as good.

    Examples
    --------
    >>> count_to_repeat(0.6, 100)
    329.0
    """
    if share <= 0.5:
        return np.nan
    distance = special.ndtri(SETTLED) / special.ndtri(share)
    return float(np.ceil(max(n_screened * (distance**2 - 1), 0.0)))


def describe_settling(more: float, n_screened: int, *, has_archive: bool = False) -> str:
    """Return the end of a sentence that says how many more people screened would settle a saving.

    Where an archive stands for them its people are needed as many times, since both groups err.

    Examples
    --------
    >>> describe_settling(90.0, 60)
    '; about 90 more would settle it'
    >>> describe_settling(1.0, 20)
    '; a few more would settle it'
    >>> describe_settling(90.0, 60, has_archive=True)  # doctest: +NORMALIZE_WHITESPACE
    '; screening about 2.5 times as many, with an archive larger by the same factor,
    would settle it'
    """
    if not more > 0:
        return ""
    if has_archive:
        return f"; {_multiply(more, n_screened)}, would settle it"
    # the bound of a bootstrap is not known to one person: on the edge, no count is told
    about = "a few" if more <= n_screened / 10 else f"about {more:.0f}"
    return f"; {about} more would settle it"


def _multiply(more: float, n_screened: int) -> str:
    times = 1 + more / n_screened
    return f"screening about {times:.2g} times as many, with an archive larger by the same factor"


def _describe_repeat(share: float, n_screened: int, *, has_archive: bool) -> str:
    more = count_to_repeat(share, n_screened)
    if np.isfinite(more) and has_archive:
        return (
            f"; {_multiply(more, n_screened)}, would let it come out in {100 * SETTLED:.0f}\u00a0%"
        )
    if np.isfinite(more):
        return (
            f"; about {more:.0f} more people screened would let it come out in "
            f"{100 * SETTLED:.0f}\u00a0%"
        )
    people = "people" if has_archive else "people screened"
    return (
        "; choices that cost about the same take turns, and only several times as many "
        f"{people} would tell them apart"
    )


def _tell_small_pool(pool: Pool, errors: SizeErrors) -> str:
    """Return how few people stand for those enrolled, and of which group more would help."""
    people = tally(round(pool.effective_size), "people")
    if pool.is_weighted:
        people = f"{pool.effective_size:.0f} effective people ({pool.n_people} before weighting)"
    short = SMALL_POOL / pool.effective_size
    if errors.n_archive:
        # with more people screened the cut-off would lie where it does, and no more beyond it
        wanted = (
            f"an archive of about {tally(np.ceil(short * errors.n_archive), 'people')} instead of "
            f"{errors.n_archive}"
        )
    else:
        wanted = tally(np.ceil(short * errors.n_screened - 1e-6), "people screened")
    return (
        f"Only {people} stand in for those who would be enrolled; {wanted} would give the "
        f"{SMALL_POOL} that a sample size needs."
    )


def tell_too_small(errors: SizeErrors, analysis: str) -> list[str]:
    """Return a sentence on the choices that need fewer people than any trial that is simulated."""
    runs = [errors.runs[place] for place in errors.list_too_small(analysis)]
    attainable = [run.candidate.label for run in runs if run.candidate.is_attainable]
    if not attainable:
        return []
    return [
        "Not compared, because the target power is reached with fewer people than trials are "
        f"simulated of ({SMALLEST_ARM} an arm): {'; '.join(attainable)}."
    ]


def _list_doubts(
    errors: SizeErrors, repeated: RepeatedChoice, analysis: str, saving: Estimate, costs: Costs
) -> list[str]:
    run, doubts = errors.runs[repeated.place], tell_too_small(errors, analysis)
    if not errors.has_intervals:
        return [
            *doubts,
            "How sure the cheapest choice is was not computed: it takes 200 bootstrap samples or "
            "more.",
        ]
    if run.candidate.is_screened and saving[1] <= 0:
        more = count_to_settle(saving, errors.n_screened)
        settle = describe_settling(more, errors.n_screened, has_archive=errors.n_archive > 0)
        # people may be saved where money is not: screening costs
        less = "costs less" if costs.is_priced else "takes fewer people"
        doubts.append(
            f"Whether the cheapest choice {less} than enrolling everyone cannot be told with "
            f"{tally(errors.n_screened, 'people')} screened{settle}."
        )
    if run.pool.effective_size < SMALL_POOL - 0.5:
        doubts.append(_tell_small_pool(run.pool, errors))
    if repeated.share_chosen < SETTLED:
        share, rate = repeated.share_chosen, get_truly_cheapest_rate(repeated.share_chosen)
        doubts.append(
            "Which choice is cheapest is not settled: this one came out in "
            f"{100 * share:.0f}\u00a0% of the samples, and of choices that come out as often about "
            f"{100 * rate:.0f}\u00a0% truly are the cheapest"
            f"{_describe_repeat(share, errors.n_screened, has_archive=errors.n_archive > 0)}."
        )
    return doubts
