"""What a reader of a comparison must know beside its tables."""

import math

import pandas as pd

from cohorts.counting import tally
from trialsim.comparison.cohort_error.intervals import MIN_SAMPLES
from trialsim.comparison.halving import Halving
from trialsim.comparison.proposal import tell_too_small
from trialsim.comparison.refitting import Refitting, Rescore
from trialsim.comparison.sizes.errors import SizeErrors
from trialsim.simulation.pool import SMALL_POOL


def list_notes(
    errors: SizeErrors,
    proposals: pd.DataFrame,
    *,
    noise_sd: float,
    n_bootstrap: int,
    rescore: Rescore | None,
) -> list[str]:
    """Return what is doubtful, who lacks a visit, whose error is included; a sentence each."""
    doubts = [text for text in proposals["doubts"].head(1) if text]
    if proposals.empty:
        doubts = tell_too_small(errors, errors.analyses[0])
    return [
        *doubts,
        *_list_small_pools(errors),
        *_list_incomplete(errors),
        *_list_missing_scores(errors),
        *_list_noise(errors, noise_sd),
        *_describe_error(errors, n_bootstrap, rescore),
    ]


def describe_halving(found: Halving, n_screened: int, n_archive: int) -> list[str]:
    """Return how many people would halve the interval of the proposed size, in a sentence.

    Parameters
    ----------
    found
        From `trialsim.comparison.halving.find_halving`.
    n_screened, n_archive
        People that there are.
    """
    ways = [
        f"{tally(wanted, 'people')} {whom} in place of {there:,}"
        for wanted, whom, there in (
            (found.n_screened, "screened", n_screened),
            (found.n_archive, "in the archive", n_archive),
        )
        if math.isfinite(wanted)
    ]
    if ways:
        return [
            "The 95 % interval of the proposed size would be half as wide with about "
            f"{', or with about '.join(ways)}."
        ]
    return [
        "More people in one group alone would not make the 95 % interval of the proposed size half "
        "as wide: four times as many in both would."
    ]


def _list_small_pools(errors: SizeErrors) -> list[str]:
    small = [run for run in errors.runs if run.pool.effective_size < SMALL_POOL - 0.5]
    told = [
        f"{run.candidate.strategy} at {100 * run.candidate.fraction_enrolled:.3g}% "
        f"{run.pool.effective_size:.0f}"
        f"{f' ({run.pool.n_people} heads)' if run.pool.is_weighted else ''}"
        for run in small
    ]
    people = "effective people" if any(run.pool.is_weighted for run in small) else "people"
    return [
        f"Fewer than {SMALL_POOL} {people} stand for those who would be enrolled, so trials repeat "
        f"them: {', '.join(told)}."
    ] * bool(small)


def _list_incomplete(errors: SizeErrors) -> list[str]:
    most = max(run.pool.n_incomplete for run in errors.runs)
    return [
        f"Up to {tally(most, 'people')} of a choice lack a visit of the design; what they "
        "lack is drawn from "
        "a growth model of everyone's visits, so that nobody is left out."
    ] * bool(most)


def _list_missing_scores(errors: SizeErrors) -> list[str]:
    most = max(len(run.design.analyses) for run in errors.runs)
    return [
        f"{run.candidate.strategy}: it has no score to adjust for; analyses that do are left out."
        for run in errors.runs
        if len(run.design.analyses) < most
    ]


def _list_noise(errors: SizeErrors, noise_sd: float) -> list[str]:
    design = errors.runs[0].design
    if len(design.times) < 3:
        return [
            "With two visits, measurement error cannot be told from decline: the measured decline "
            "counts as the true one, although selection by a baseline scan moves it."
        ]
    largest = max(errors.runs, key=lambda run: run.pool.size)
    decline = -float(largest.pool.true_change[-1])
    return [
        f"The endpoint's measurement error (standard deviation {noise_sd:.3g} {design.unit}) is "
        f"larger than the mean decline to the last visit ({decline:.3g}): a longer trial or a "
        "more precise measurement would need fewer people."
    ] * (noise_sd > decline)


def _describe_error(errors: SizeErrors, n_bootstrap: int, rescore: Rescore | None) -> list[str]:
    if not n_bootstrap:
        return ["No bootstrap samples were drawn: the sizes stand without the error of a cohort."]
    if n_bootstrap < MIN_SAMPLES:
        return [
            f"n_bootstrap is {n_bootstrap}: fewer than {MIN_SAMPLES} bootstrap samples carry no "
            "95 % interval, so none is given for the error of the cohort."
        ]
    names = dict.fromkeys(
        run.candidate.strategy for run in errors.runs if run.candidate.is_screened
    )
    if not isinstance(rescore, Refitting):
        return (
            []
            if rescore is not None
            else [
                "The bootstrap of people keeps the scores as given: the error of fitting a "
                "prediction model is not part of the intervals."
            ]
        )
    archive = [name for name in names if rescore.uses_archive(name)]
    given = [name for name in names if name not in rescore.strategies]
    own = [name for name in names if name in rescore.strategies and name not in archive]
    sentences = {
        "is fitted again in every sample, so that its error is part of the intervals": own,
        f"is fitted on {tally(rescore.n_training, 'people')} of the archive: its intervals "
        "are those of the "
        "rule that this archive gave, the archive's own error is told apart "
        "(ln_n_sd_archive)": archive,
        "keeps its scores: the intervals hold the error of the people screened, not that of the "
        "model or person that scored them": given,
    }
    notes = [f"{name} {what}." for what, members in sentences.items() for name in members]
    learned = [name for name in own if "outcome" in rescore.strategies[name].needs]
    if archive and learned:
        notes.append(
            f"{', '.join(learned)} learned from the screened people, {', '.join(archive)} from the "
            "archive: they do not compete on equal terms."
        )
    return notes
