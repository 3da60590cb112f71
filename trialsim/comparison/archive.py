"""People who were followed, standing for screened people who were not.

Every strategy scores both alike. The rule that the trial would use, the cut-off at which the wanted
share of the screened people is enrolled, is applied to the archive, whose people carry weights that
make their baseline (score, age, sex, diagnosis, volumes) agree with that of the screened people.
Weights are made over the whole archive and cut afterwards: balancing inside a selection fails where
few people are left.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cohorts.balance import find_unlike
from cohorts.counting import tally
from cohorts.keys import order_by_name
from cohorts.sources.columns import name_volume_column
from trialsim.analysis.result import Floats
from trialsim.analytic.cutoffs import Cutoffs, count_selected, find_cutoffs
from trialsim.comparison.refitting import Rescore
from trialsim.design import TrialDesign
from trialsim.enrichment.balancing import Covariates, align_covariates, balance
from trialsim.errors import DesignError

FEWEST_EFFECTIVE = 20
"""Effective people above a cut-off below which an archive cannot stand for the selected."""

_MEASURED = 0.9
"""Share of the screened people whose baseline must be measured for futures to be predicted."""


@dataclass(frozen=True)
class ScreenedPeople:
    """The people whom an archive stands for, as `compare_strategies` takes them.

    Attributes
    ----------
    scores
        Index `participant_id`, one column a strategy: the strategies that score the archive.
    baseline
        What is known of them at baseline, as numbers, same index; the endpoint's own volume is in a
        column of its usual name (`hippocampus_mm3`).
    rescore
        Scores them by strategies fitted to samples of the archive; None where none learns from it.
    is_predicted
        Whether futures of their own are predicted, given their measured baseline and score, rather
        than taken from the archive's people.
    """

    scores: pd.DataFrame
    baseline: pd.DataFrame
    rescore: Rescore | None = None
    is_predicted: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "scores", order_by_name(self.scores))


@dataclass(frozen=True)
class Target:
    """The screened people, with the covariates that both groups share.

    Attributes
    ----------
    scores
        Strategy -> (n_screened,), NaN where missing.
    covariates
        Name of an expectation (a strategy, or everyone) -> covariates of archive and screened.
    rescore
        As in `ScreenedPeople`.
    start
        Measured baseline in the unit of the design, (n_screened,), where futures of their own are
        predicted; None where the archive's people stand for them.
    """

    scores: Mapping[str, Floats]
    covariates: Mapping[str, Covariates]
    rescore: Rescore | None = None
    start: Floats | None = None

    @property
    def size(self) -> int:
        """Number of screened people."""
        return len(next(iter(self.scores.values())))

    def weigh(self, name: str, archive: Floats, screened: Floats) -> Floats:
        """Return weights of the archive in each sample, (n_samples, n_archive), adding up to 1.

        Parameters
        ----------
        name
            A strategy, or everyone.
        archive, screened
            How often each person is in each sample, (n_samples, n_archive) and
            (n_samples, n_screened).
        """
        own = self.covariates[name]
        share = screened / screened.sum(axis=1, keepdims=True)
        return balance(own.own, share @ own.target, archive)

    def select(self, fraction: float, counts: Floats, score: Floats) -> Floats:
        """Return how often each screened person is enrolled in each sample, shaped as `counts`.

        Parameters
        ----------
        fraction, counts, score
            As in `find_cutoffs`.
        """
        return np.asarray(counts * self.find_cutoffs(fraction, counts, score).admit(score))

    def find_cutoffs(self, fraction: float, counts: Floats, score: Floats) -> Cutoffs:
        """Return down to which score people are enrolled in each sample.

        Parameters
        ----------
        fraction
            Share enrolled, above 0 and at most 1.
        counts
            (n_samples, n_screened).
        score
            (n_screened,) or (n_samples, n_screened); people without one come last.
        """
        return find_cutoffs(score, count_selected(fraction, self.size), counts)


def build_target(
    archive_scores: Mapping[str, Floats],
    archive_baseline: pd.DataFrame,
    screened: ScreenedPeople,
    *,
    everyone: str,
    start: Floats | None = None,
) -> Target:
    """Return the target of an archive.

    Parameters
    ----------
    archive_scores
        Strategy -> (n_archive,).
    archive_baseline
        As `ScreenedPeople.baseline`, of the archive.
    screened
        Whom the archive stands for.
    everyone
        Name of the weights that regard no score.
    start
        As in `Target`.

    Raises
    ------
    DesignError
        A strategy scores one of the two groups only.
    """
    lacking = [name for name in archive_scores if name not in screened.scores]
    if lacking:
        raise DesignError(
            *(f"{name}: it scores the archive, but not the screened people." for name in lacking)
        )
    theirs = screened.baseline.reindex(screened.scores.index)
    covariates = {everyone: align_covariates(archive_baseline, theirs)}
    scores = {name: screened.scores[name].to_numpy(dtype=float) for name in archive_scores}
    for name, score in archive_scores.items():
        covariates[name] = align_covariates(
            archive_baseline.assign(**{_SCORE: score}), theirs.assign(**{_SCORE: scores[name]})
        )
    return Target(scores, covariates, screened.rescore, start)


def take_start(screened: ScreenedPeople, design: TrialDesign) -> Floats | None:
    """Return the screened people's measured baseline in the design's unit, where it is wanted."""
    if not screened.is_predicted:
        return None
    column = name_volume_column(design.endpoint)
    people = screened.scores.index
    volumes = screened.baseline.get(column, pd.Series(dtype=float)).reindex(people)
    known = volumes.notna()
    if known.mean() < _MEASURED:
        raise DesignError(
            f"Outcomes are predicted from a measured baseline: {known.sum()} of {len(people)} "
            f"screened people have a {design.endpoint} at baseline."
        )
    filled = volumes.fillna(volumes.mean()).to_numpy(dtype=float)
    return filled if design.unit == "mm3" else np.asarray(100 * np.log(filled))


_SCORE = "score"


def tabulate_balance(target: Target, weights: Mapping[str, Floats]) -> pd.DataFrame:
    """Return the standardized difference of each covariate before and after weighting.

    Parameters
    ----------
    target
        What the archive is weighted to agree with.
    weights
        Name -> (n_archive,).

    Returns
    -------
    DataFrame
        `strategy`, `covariate`, `difference_unweighted`, `difference_weighted` (archive minus
        screened, in standard deviations of the screened), `n_archive`, `effective_size`,
        `n_outside` (screened people beyond the archive's range).
    """
    rows = []
    for name, own in target.covariates.items():
        weight = weights[name]
        middle = own.target.mean(axis=0)
        before, after = own.own.mean(axis=0) - middle, weight @ own.own - middle
        rows += [
            {
                "strategy": name,
                "covariate": covariate,
                "difference_unweighted": before[k],
                "difference_weighted": after[k],
                "n_archive": len(weight),
                "effective_size": float(1 / (weight**2).sum()),
                "n_outside": own.n_outside,
            }
            for k, covariate in enumerate(own.names)
        ]
    return pd.DataFrame(rows)


def list_imbalance(balance: pd.DataFrame) -> list[str]:
    """Return a sentence on the covariates in which no weights make an archive agree, if there are.

    Parameters
    ----------
    balance
        From `tabulate_balance`.
    """
    unlike = find_unlike(balance)
    if unlike.empty:
        return []
    named = ", ".join(f"{name} by {size:.2f}" for name, size in unlike.items())
    n_outside = balance["n_outside"].max()
    beyond = f"; {tally(n_outside, 'people')} screened are beyond its range" if n_outside else ""
    return [
        "No weights make the archive agree with the people screened, so sizes are those of other "
        f"people than these: it still differs, in standard deviations, in {named} "
        f"(archive_balance){beyond}."
    ]
