"""From what a source wrote to typed values: ages, times, sex, diagnosis, volumes, covariates."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from cohorts.errors import CohortError
from cohorts.schema import DIAGNOSES
from cohorts.sources.codings import Coding, read_ages, read_diagnosis, read_sex
from cohorts.sources.columns import AFTER_BASELINE, list_volume_columns
from cohorts.sources.covariates import STANDARD, read_covariates
from cohorts.sources.records import PERSON_DIAGNOSIS, PROVENANCE, Records, join_names
from cohorts.sources.values import is_missing, parse_numbers, parse_text

MONTHS_PER_YEAR: Final = 12.0
DAYS_PER_MONTH: Final = 365.25 / 12

MONTHS_IN: Final = {
    "months_from_baseline": 1.0,
    "years_from_baseline": MONTHS_PER_YEAR,
    "days_from_baseline": 1 / DAYS_PER_MONTH,
}
"""Column of a time since baseline -> months in one of its units."""


@dataclass(frozen=True)
class Codings:
    """What the user states about a source.

    Parameters
    ----------
    age_unit
        `years`, `months` or `hundredths`.
    sex, diagnosis
        What the codes in the file mean.
    everyones_diagnosis
        The diagnosis of all people, for a source without any.
    is_brlp
        Whether the file is one of BrLP's, which uses two known codings.
    """

    age_unit: str | None = None
    sex: Coding | None = None
    diagnosis: Coding | None = None
    everyones_diagnosis: str | None = None
    is_brlp: bool = False


def interpret(records: Records, codings: Codings) -> None:
    """Turn the values of `records` into typed ones; report each value that has no meaning."""
    _read_participants(records)
    _read_times(records)
    _read_ages(records, codings)
    _read_sex(records, codings)
    _read_diagnosis(records, codings)
    _read_sessions(records)
    _read_volumes(records)
    read_covariates(records)


def _read_participants(records: Records) -> None:
    frame = records.frame
    people = parse_text(frame["participant_id"])
    unnamed = people.isna()
    stand_in = "(none, row " + frame["source_row"].astype("str") + ")"
    frame["participant_id"] = people.mask(unnamed, stand_in)
    records.report(unnamed, "participant_id", "got nothing, an identifier is expected")


def _read_times(records: Records) -> None:
    frame = records.frame
    stated = [name for name in MONTHS_IN if name in frame]
    if len(stated) > 1:
        records.report_all(
            stated[1], f"{' and '.join(stated)} say the same thing; keep one of the columns"
        )
    if stated:
        times, wrong = parse_numbers(frame[stated[0]])
        records.report(wrong, stated[0], "got {value}, a time in numbers is expected")
        frame["months_from_baseline"] = times * MONTHS_IN[stated[0]]
        name = records.get_source_name(stated[0]) or stated[0]
        records.column_names["months_from_baseline"] = name
    elif "visit_date" in frame:
        _read_dates(records)
    used = {*MONTHS_IN, "visit_date"} - {"months_from_baseline"}
    records.frame = records.frame.drop(columns=[name for name in frame if name in used])


def _read_dates(records: Records) -> None:
    frame = records.frame
    dates = pd.to_datetime(frame["visit_date"], errors="coerce", format="ISO8601")
    missing = is_missing(frame["visit_date"])
    records.report(
        dates.isna().to_numpy() & ~missing,
        "visit_date",
        "got {value}, a date like 2024-03-31 is expected",
    )
    first = dates.groupby(frame["participant_id"]).transform("min")
    if not missing.all():
        frame["months_from_baseline"] = (dates - first).dt.days / DAYS_PER_MONTH


def _read_ages(records: Records, codings: Codings) -> None:
    if "age_years" in records.frame:
        _drop_unattended(records)
        read_ages(records, "age_years", age_unit=codings.age_unit)
    elif "baseline_age_years" in records.frame:
        read_ages(records, "baseline_age_years", age_unit=codings.age_unit)
        _advance_baseline_ages(records)
    else:
        _report_absent(records, "age_years")
        records.frame["age_years"] = np.nan


def _drop_unattended(records: Records) -> None:
    if not records.has_unattended_visits:
        return
    attended = ~is_missing(records.frame["age_years"])
    if not attended.all():
        records.notes.append(
            f"{int((~attended).sum())} of {len(attended)} planned visits have no age, so they "
            "count as not attended."
        )
    records.frame = records.frame[attended].reset_index(drop=True)


def _advance_baseline_ages(records: Records) -> None:
    frame = records.frame
    if "months_from_baseline" not in frame and frame["participant_id"].duplicated().any():
        records.report_all(
            "baseline_age_years",
            "visits have the age at baseline and no time; add a column months_from_baseline",
        )
    months = frame.get("months_from_baseline", pd.Series(0.0, index=frame.index))
    frame["age_years"] = frame.pop("baseline_age_years") + months / MONTHS_PER_YEAR
    records.column_names["age_years"] = records.column_names["baseline_age_years"]


def _read_sex(records: Records, codings: Codings) -> None:
    if "sex" not in records.frame:
        _report_absent(records, "sex")
        records.frame["sex"] = None
        return
    read_sex(records, coding=codings.sex, is_brlp=codings.is_brlp)


def _read_diagnosis(records: Records, codings: Codings) -> None:
    everyones, frame = codings.everyones_diagnosis, records.frame
    if everyones is not None and everyones not in DIAGNOSES:
        raise CohortError(f"--diagnosis must be one of {', '.join(DIAGNOSES)}, got '{everyones}'.")
    if "diagnosis" not in frame:
        if everyones is None:
            hint = "; if all people have the same one, state it, for example --diagnosis CN"
            _report_absent(records, "diagnosis", hint)
        else:
            records.notes.append(f"Everyone's diagnosis is {everyones} (stated; not in the data).")
        frame["diagnosis"] = everyones
        return
    if everyones is not None:
        raise CohortError(
            f"--diagnosis is for data without a diagnosis, and these have the column "
            f"{records.get_source_name('diagnosis')}: leave the option out."
        )
    if AFTER_BASELINE.search(records.get_source_name("diagnosis") or ""):
        records.report_all(
            "diagnosis",
            "this diagnosis is only known after baseline; name the diagnosis at baseline",
        )
    read_diagnosis(records, "diagnosis", coding=codings.diagnosis, is_brlp=codings.is_brlp)
    if not is_missing(frame[PERSON_DIAGNOSIS]).all():
        read_diagnosis(records, PERSON_DIAGNOSIS, coding=codings.diagnosis, is_brlp=False)


def _read_sessions(records: Records) -> None:
    frame = records.frame
    if "session_id" in frame:
        sessions = parse_text(frame["session_id"])
        records.report(
            sessions.isna(), "session_id", "got nothing, the name of a visit is expected"
        )
        frame["session_id"] = sessions.fillna("(none)")
        return
    # Visits without names are numbered in time; two rows of one time stay one name, so that
    # the check for duplicates finds them.
    time = frame["months_from_baseline" if "months_from_baseline" in frame else "age_years"]
    number = time.fillna(-1).groupby(frame["participant_id"]).rank(method="dense").astype(int)
    frame["session_id"] = "ses-" + number.astype("str").str.zfill(2)
    records.has_named_sessions = False


def _read_volumes(records: Records) -> None:
    for column in list_volume_columns(records.frame):
        volumes, wrong = parse_numbers(records.frame[column])
        records.report(wrong, column, "got {value}, a volume in numbers is expected")
        records.frame[column] = volumes * records.volume_factors.get(column, 1.0)


def _report_absent(records: Records, column: str, hint: str = "") -> None:
    names = sorted(
        {records.column_names.get(str(name), str(name)) for name in records.frame}
        - {*PROVENANCE, *STANDARD}
    )
    others = f" (other columns: {', '.join(join_names(names, limit=12))})" if names else ""
    records.report_all(
        None, f"no column {column}{others}; name it with --map COLUMN={column}{hint}"
    )
