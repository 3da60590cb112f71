"""Checks of people: their sex, age, diagnosis at baseline, covariates."""

from typing import Final

import numpy as np
import pandas as pd

from cohorts.alike import ALIKE, find_alike
from cohorts.identifiers import PLAIN, find_fault
from cohorts.sources.assembly import are_baseline_rows
from cohorts.sources.meaning.covariates import NUMERIC_COVARIATES
from cohorts.sources.records import PERSON_DIAGNOSIS, Records

_SHORTENED: Final = r"\d\.\d+[eE]\+\d+"


def check_people(records: Records) -> None:
    """Report people whose description cannot be right."""
    _check_identifiers(records)
    _check_sex(records)
    _check_ages(records)
    _check_baseline_diagnosis(records)
    _check_covariates(records)


def _check_identifiers(records: Records) -> None:
    for column in ("participant_id", "session_id"):
        _check_names(records, column)
    people = pd.Series(records.frame["participant_id"].cat.categories)
    records.report(
        records.frame["participant_id"].isin(people[people.str.fullmatch(_SHORTENED)]),
        "participant_id",
        "got {value}, a number that a spreadsheet has shortened, so that several people may have "
        "become one; the whole identifier is expected",
    )
    alike = find_alike(people)
    if alike.empty:
        return
    first = records.frame[records.frame["participant_id"].isin(alike)].index
    rows = np.zeros(len(records.frame), dtype=bool)
    rows[first] = ~records.frame.loc[first, "participant_id"].duplicated()
    records.report(
        rows,
        "participant_id",
        f"{{value}} differs from another identifier {ALIKE}",
    )


def _check_names(records: Records, column: str) -> None:
    names = records.frame[column]
    known = pd.Series(names.cat.categories)
    for name in known[~known.str.fullmatch(PLAIN)]:
        fault = find_fault(str(name))
        if fault is not None:
            # braces in the name itself are not fields of the message
            records.report(names == name, column, f"got {{value}}: {fault}")


def _check_sex(records: Records) -> None:
    sex = records.frame["sex"]
    first = sex.groupby(records.frame["participant_id"]).transform("first")
    if sex.isna().all():
        return
    unknown = first.isna() & ~_is_told(records, "sex")
    records.report(unknown, "sex", "got nothing, F or M is expected")
    records.report(
        sex.notna() & (sex != first), "sex", "got {value}, but an earlier visit has the other sex"
    )


def _is_told(records: Records, column: str) -> pd.Series:
    """Return which rows are of people whose value in a column is a problem already."""
    name = records.get_source_name(column)
    told = {problem.participant_id for problem in records.problems if problem.column == name}
    return records.frame["participant_id"].isin(told)


def _check_ages(records: Records) -> None:
    ages = records.frame["age_years"]
    hints = {
        "; this looks like months": (ages > 120) & (ages <= 1440),
        "; this looks like years / 100": (ages > 0) & (ages < 1.3),
        "": (ages <= 0) | (ages > 1440),
    }
    for hint, rows in hints.items():
        message = "got {value}, an age in years is expected (0 to 120)"
        records.report(rows, "age_years", message + hint)


def _check_baseline_diagnosis(records: Records) -> None:
    frame = records.frame
    baseline = are_baseline_rows(frame)
    of_person, of_visit = frame[PERSON_DIAGNOSIS], frame["diagnosis"]
    records.report(
        baseline & of_person.notna() & of_visit.notna() & (of_person != of_visit),
        "diagnosis",
        f"got {{value}} at the baseline visit and '{{{PERSON_DIAGNOSIS}}}' in the table of people; "
        "the diagnosis at baseline is expected in both",
    )
    unknown = baseline & (of_visit.isna() & ~_is_told(records, "diagnosis")).to_numpy()
    if not unknown.any() or frame["diagnosis"].isna().all():
        return
    later = frame["diagnosis"].groupby(frame["participant_id"]).transform("last")
    known_later = unknown & later.notna().to_numpy()
    records.report(
        known_later,
        "diagnosis",
        "got nothing at baseline and a diagnosis later; the one at baseline is expected, "
        "a later one must not stand in for it",
    )
    records.report(
        unknown & ~known_later, "diagnosis", "got nothing, the diagnosis at baseline is expected"
    )


def _check_covariates(records: Records) -> None:
    for column, (low, high) in NUMERIC_COVARIATES.items():
        if column in records.frame:
            values = records.frame[column]
            records.report(
                (values < low) | (values > high),
                column,
                f"got {{value}}, a number from {low} to {high} is expected",
            )
