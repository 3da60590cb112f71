"""How the size of each choice varies between cohorts of the same kind, from one bootstrap.

The relative error of a size is that of the design as it stands in `[design]`, because it comes from
the people: a schedule that is searched over shares their decline, and its error with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trialsim.analyses import ANALYSES
from trialsim.analysis.result import Floats
from trialsim.comparison.candidates import EVERYONE
from trialsim.comparison.cohort_error.bootstrap import bootstrap_sizes
from trialsim.comparison.cohort_error.intervals import compute_freedom
from trialsim.comparison.cohort_error.normal_sizes import compute_log_sizes
from trialsim.comparison.cohort_error.sample_moments import (
    PersonMoments,
    compute_influences,
    compute_moments,
    widen_covariance,
)
from trialsim.comparison.cohort_error.samples import draw_samples
from trialsim.comparison.refitting import Rescore
from trialsim.comparison.screened import Screened
from trialsim.design import TrialDesign
from trialsim.optimization.choices import Choice
from trialsim.optimization.courses import Courses
from trialsim.optimization.run_in import choose_by_run_in, fit_lines


@dataclass(frozen=True)
class ChoiceErrors:
    """Errors of all choices, in their order.

    Attributes
    ----------
    log_ratios
        Analysis -> ln of the size in each sample over the cohort's, (n_choices, n_bootstrap).
    degrees_of_freedom
        Analysis -> of the standard error of ln size, (n_choices,).
    """

    log_ratios: dict[str, Floats]
    degrees_of_freedom: dict[str, Floats]


def bootstrap_choices(
    choices: Sequence[Choice],
    screened: Screened,
    design: TrialDesign,
    *,
    n_bootstrap: int,
    seed: int,
    rescore: Rescore | None,
) -> ChoiceErrors:
    """Return how the sizes of all choices vary over the same samples of people.

    Parameters
    ----------
    choices
        Ways of choosing people.
    screened
        The people.
    design
        With all analyses that are searched over.
    n_bootstrap, seed, rescore
        As in `bootstrap_sizes`.
    """
    compared = [i for i, one in enumerate(choices) if one.passing is None and not one.run_in_months]
    candidates = [choices[i].candidate for i in compared]
    screened = screened.score_alike(candidates)
    cohort = bootstrap_sizes(
        screened,
        candidates,
        design,
        n_bootstrap=n_bootstrap,
        seed=seed,
        rescore=rescore,
        n_archive=0,
    )
    others = [i for i in range(len(choices)) if i not in set(compared)]
    cohort_freedom = cohort.degrees_of_freedom
    ratios, freedom = {}, {}
    n_people = len(screened.outcome)
    counts = np.vstack([np.ones((1, n_people)), draw_samples(n_people, n_bootstrap, seed)])
    found = _compute_others([choices[i] for i in others], screened, design, counts)
    for name in design.analyses:
        ratios[name] = np.full((len(choices), n_bootstrap), np.nan)
        ratios[name][compared] = cohort.log_ratios[name]
        freedom[name] = np.ones(len(choices))
        freedom[name][compared] = cohort_freedom[name]
        if others:
            with np.errstate(invalid="ignore"):
                ratios[name][others] = found[name][:, 1:] - found[name][:, :1]
            freedom[name][others] = [
                _count_freedom(name, choices[i], screened, design, cohort_freedom[name][0])
                for i in others
            ]
    return ChoiceErrors(ratios, freedom)


def _compute_others(
    choices: Sequence[Choice], screened: Screened, design: TrialDesign, counts: Floats
) -> dict[str, Floats]:
    """Return ln sizes of staged choices and run-ins, the cohort itself first."""
    found = {name: np.empty((len(choices), len(counts))) for name in design.analyses}
    if not choices:
        return found
    weights = counts * screened.weights[EVERYONE] * screened.was_seen
    expected = screened.expected[EVERYONE]
    people = PersonMoments.take(expected, screened.was_seen, weights)
    nothing = np.zeros(1)
    normal = _compute_normal(design)
    everyone = compute_moments(people, weights, nothing)
    lines = fit_lines(everyone.get_covariance()[:, :-1, :-1], design.times, expected.noise_sd**2)
    for row, choice in enumerate(choices):
        if choice.passing is not None:
            own = weights * choice.passing
            moments = compute_moments(people, own, nothing)
            size = float(own[0].sum() ** 2 / (own[0] ** 2).sum())
            covariance = moments.get_covariance()
            covariance[1:] = widen_covariance(covariance[1:], size)
            change = moments.change
        else:
            n_samples = len(counts)
            course = design.times / design.times[-1]
            chosen = choose_by_run_in(
                Courses(
                    design.times,
                    everyone.change[:, None] * course,
                    lines,
                    np.full(n_samples, expected.noise_sd**2),
                    np.zeros((n_samples, 2)),
                    np.zeros(n_samples),
                    np.zeros((n_samples, 3)),
                ),
                choice.run_in_months,
                choice.fraction_enrolled,
            )
            covariance, change = chosen.build_covariance(design.times), chosen.true_change[:, -1]
        for name in design.analyses:
            found[name][row] = compute_log_sizes(name, change - normal, covariance, design)
    return found


def _count_freedom(
    analysis: str, choice: Choice, screened: Screened, design: TrialDesign, everyone: float
) -> float:
    """Return the degrees of freedom of the standard error of ln size; a run-in has everyone's."""
    if choice.passing is None or ANALYSES[analysis].uses_score:
        return everyone
    one_copy = screened.weights[EVERYONE] * screened.was_seen
    own, nothing = (one_copy * choice.passing)[None], np.zeros(1)
    people = PersonMoments.take(screened.expected[EVERYONE], screened.was_seen, one_copy[None])
    influence = compute_influences(
        analysis,
        people,
        compute_moments(people, own, nothing),
        own,
        nothing,
        np.array([_compute_normal(design)]),
        design,
    )
    return compute_freedom(influence[0], own[0], one_copy)


def _compute_normal(design: TrialDesign) -> float:
    if design.relative_to == "all decline" or design.normal_change_per_year is None:
        return 0.0
    return design.normal_change_per_year * design.duration_months / 12
