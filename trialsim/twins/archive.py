"""Twins from an archive: change by a visit, predicted from what baseline says."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import KFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from cohorts.cohort import Cohort
from cohorts.counting import tally
from cohorts.sources.columns import name_volume_column
from cohorts.visits import WINDOW_MONTHS
from trialsim.analysis.result import Floats
from trialsim.errors import DesignError

MIN_PEOPLE: Final = 30
"""People of the archive with a visit near a horizon below whom none is predicted."""

_FOLDS: Final = 10
_DIAGNOSES: Final = ("MCI", "AD")


@dataclass(frozen=True)
class ArchiveTwins:
    """Twins of a trial's people.

    Attributes
    ----------
    table
        Columns of `twins` in `cohorts.schema`.
    correlations
        Columns of `twin_correlations` in `cohorts.schema`: of the errors at the predicted visits
        in the archive, cross-validated.
    n_people
        People of the archive behind each visit, by month.
    """

    table: pd.DataFrame
    correlations: pd.DataFrame
    n_people: dict[float, int]


def predict_from_archive(
    people: Cohort,
    archive: Cohort,
    *,
    months: Sequence[float],
    endpoint: str = "hippocampus",
) -> ArchiveTwins:
    """Return the untreated volume of each person at each month, with its sd.

    For each month a ridge regression of the percent change on the baseline's volumes, age, sex,
    diagnosis and APOE4 (what both cohorts have), fitted to the archive's untreated people. The sd
    is that of cross-validated errors and may grow with the predicted decline.

    Parameters
    ----------
    people
        The trial's people; only their baseline is read.
    archive
        Untreated people with follow-up, none of them in the trial.
    months
        The trial's visits after baseline.
    endpoint
        A region.

    Raises
    ------
    DesignError
        Too few people of the archive with a visit near a month, someone in both cohorts, or a
        baseline that was not measured.
    """
    column = name_volume_column(endpoint)
    own, known = people.baseline(), archive.baseline()
    _check(own, known, column)
    names = _list_features(own, known, column)
    z_own, z_known = _build_features(own, names), _build_features(known, names)
    parts, errors, counts = [], {}, {}
    for month in months:
        change = _measure(archive, endpoint, month).reindex(known.index)
        usable = change.notna().to_numpy() & z_known.notna().all(axis=1).to_numpy()
        if usable.sum() < MIN_PEOPLE:
            raise DesignError(
                f"The archive has {tally(usable.sum(), 'people')} with a visit within "
                f"{_choose_window(month):g} months of month {month:g}; at least {MIN_PEOPLE} are "
                "needed."
            )
        x, y = z_known[usable].to_numpy(), change[usable].to_numpy(dtype=float)
        fitted = _cross_validate(x, y)
        predicted = _make_model().fit(x, y).predict(z_own.to_numpy())
        sd = _predict_sd(fitted, y - fitted, predicted)
        volume = own[column].to_numpy(dtype=float)
        parts.append(
            pd.DataFrame(
                {
                    "participant_id": own.index,
                    "months": float(month),
                    "region": endpoint,
                    "predicted_mm3": volume * (1 + predicted / 100),
                    "sd_mm3": volume * sd / 100,
                }
            )
        )
        errors[float(month)] = pd.Series(y - fitted, index=known.index[usable])
        counts[float(month)] = int(usable.sum())
    return ArchiveTwins(
        pd.concat(parts, ignore_index=True), _correlate(pd.DataFrame(errors), endpoint), counts
    )


def correlate_errors(twins: pd.DataFrame, known: Cohort, *, endpoint: str) -> pd.DataFrame:
    """Return how the errors of twins of people whose course is known correlate over visits.

    Parameters
    ----------
    twins
        Table `twins` of the people in `known`, by the model in question.
    known
        Untreated people with follow-up, whom the model did not learn from.
    endpoint
        A region.

    Returns
    -------
    pandas.DataFrame
        Columns of `twin_correlations` in `cohorts.schema`.

    Raises
    ------
    DesignError
        Too few people with a visit near some month.
    """
    baseline = known.baseline()[name_volume_column(endpoint)]
    errors = {}
    for month in np.unique(twins["months"].to_numpy(dtype=float)):
        at = twins[twins["months"] == month].set_index("participant_id")["predicted_mm3"]
        predicted = 100 * (at / baseline.reindex(at.index) - 1)
        change = _measure(known, endpoint, month)
        errors[month] = change.reindex(at.index) - predicted
        n = int(errors[month].notna().sum())
        if n < MIN_PEOPLE:
            raise DesignError(
                f"{tally(n, 'people')} of {known.name} have a twin and a visit within "
                f"{_choose_window(month):g} months of month {month:g}; their errors correlate from "
                f"{MIN_PEOPLE} on."
            )
    return _correlate(pd.DataFrame(errors), endpoint)


def _correlate(errors: pd.DataFrame, endpoint: str) -> pd.DataFrame:
    """Return the correlation of errors at every two visits, among who has both."""
    months, seen = errors.columns.to_numpy(dtype=float), errors.notna().to_numpy(dtype=int)
    correlation, pairs = errors.corr().to_numpy(), seen.T @ seen
    return pd.DataFrame(
        [
            {
                "region": endpoint,
                "months": months[i],
                "other_months": months[j],
                "error_correlation": correlation[i, j],
                "n_people": pairs[i, j],
            }
            for i, j in np.ndindex(pairs.shape)
        ]
    )


def _check(own: pd.DataFrame, known: pd.DataFrame, column: str) -> None:
    problems = []
    both = own.index.intersection(known.index)
    if len(both):
        problems.append(
            f"{tally(len(both), 'people are')} in the trial and in the archive (first: "
            f"{both[0]}): a twin "
            "must not have seen its own person's outcome."
        )
    for name, table in (("trial", own), ("archive", known)):
        if column not in table:
            problems.append(f"The {name} has no {column} at baseline.")
        elif table[column].isna().any() and name == "trial":
            problems.append(
                f"{tally(table[column].isna().sum(), 'people lack')} {column} at baseline."
            )
    if problems:
        raise DesignError(*problems)


def _list_features(own: pd.DataFrame, known: pd.DataFrame, column: str) -> list[str]:
    """Return numeric columns that nearly everyone has in both tables."""
    names = [name for name in own if str(name).endswith("_mm3") or name in ("age_years", "apoe4")]
    return [
        str(name)
        for name in names
        if name in known and own[name].notna().all() and known[name].notna().mean() >= 0.9
    ] or [column]


def _build_features(table: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    features = {name: pd.to_numeric(table[name], errors="coerce") for name in names}
    features["is_female"] = (table["sex"] == "F").astype(float)
    for diagnosis in _DIAGNOSES:
        features[f"is_{diagnosis.lower()}"] = (table["diagnosis"] == diagnosis).astype(float)
    return pd.DataFrame(features, index=table.index).astype(float)


def _choose_window(month: float) -> float:
    """Return how far from a month a visit that stands for it may be, and is after baseline."""
    return min(WINDOW_MONTHS, month / 2)


def _measure(archive: Cohort, endpoint: str, month: float) -> pd.Series:
    """Return the percent change by a month, for who has a visit near it."""
    measured = archive.change(endpoint, month, window_months=_choose_window(month))
    measured = measured.set_index("participant_id")
    # a visit a week early has had a week less of decline
    scaled: pd.Series = measured["change_percent"] * month / measured["months"]
    return scaled


def _make_model() -> Pipeline:
    return make_pipeline(StandardScaler(), RidgeCV(np.logspace(-2, 3, 11)))


def _cross_validate(x: Floats, y: Floats) -> Floats:
    fitted = np.empty_like(y)
    for train, test in KFold(_FOLDS, shuffle=True, random_state=0).split(x):
        fitted[test] = _make_model().fit(x[train], y[train]).predict(x[test])
    return fitted


def _predict_sd(fitted: Floats, error: Floats, at: Floats) -> Floats:
    """Return the error's sd, log-linear in the predicted change, right on average."""
    center, spread = fitted.mean(), max(float(fitted.std()), 1e-9)
    z = (fitted - center) / spread
    slope = float(np.polyfit(z, np.log(error**2 + 1e-12), 1)[0])
    # bounded, so that few people cannot make an error that explodes
    slope = float(np.clip(slope, -1.0, 1.0))
    scale = float((error**2).mean() / np.exp(slope * z).mean())
    where = np.clip((at - center) / spread, -3, 3)
    return np.asarray(np.sqrt(scale * np.exp(slope * where)))
