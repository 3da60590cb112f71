"""From what a source wrote to typed values: ages, times, sex, diagnosis, volumes, covariates."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from cohorts.counting import tally
from cohorts.errors import CohortError
from cohorts.keys import map_kinds
from cohorts.labels import MIDLINE_CODES, SIDED_CODES
from cohorts.schema import BRAIN, DIAGNOSES, SIDES
from cohorts.sources.columns import list_volume_columns, name_volume_column, tells_later
from cohorts.sources.freesurfer.stats_files import BRAIN_SEG
from cohorts.sources.meaning.codings import (
    Coding,
    is_another_diagnosis,
    read_ages,
    read_diagnosis,
    read_sex,
)
from cohorts.sources.meaning.covariates import STANDARD, interpret_covariates
from cohorts.sources.meaning.identifying import leave_out_identifying
from cohorts.sources.records import (
    AT_BASELINE,
    NAMELESS,
    PERSON_DIAGNOSIS,
    PROVENANCE,
    SOURCE_ROW,
    Records,
    join_names,
)
from cohorts.sources.values import is_missing, parse_numbers, parse_text
from cohorts.sources.visit_times.birth import take_birth_dates
from cohorts.sources.visit_times.times import (
    MONTHS_PER_YEAR,
    TOP_CODED,
    WHILE_READING,
    merge_screening_visits,
    read_months_of_name,
    read_stated_times,
    settle_times,
)

BRAIN_PARTS: Final = (
    *(f"{side}_{region}" for side in SIDES for region in SIDED_CODES),
    *(region for region in MIDLINE_CODES if region != "csf"),
)
"""The regions whose volumes add up to `brain`."""

_AGES: Final = ("age_years", "baseline_age_years")
_DETERMINANT: Final = "determinant"

_WHOLE_BELOW: Final = 2.0**53
"""Up to here a floating-point number tells each whole number from the next."""


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
    top_coded_age
        The age in years that stands for a bound such as `90+`; None takes the bound itself.
    is_brlp
        Whether the file is one of BrLP's, which uses two known codings.
    """

    age_unit: str | None = None
    sex: Coding | None = None
    diagnosis: Coding | None = None
    everyones_diagnosis: str | None = None
    top_coded_age: float | None = None
    is_brlp: bool = False


def interpret(records: Records, codings: Codings) -> None:
    """Turn the values of `records` into typed ones; report each value that has no meaning."""
    _read_participants(records)
    _drop_unattended(records)
    if "session_id" in records.frame:
        _read_sessions(records)
        merge_screening_visits(records)
    read_stated_times(records)
    has_ages = _read_ages(records, codings, are_computed=take_birth_dates(records))
    if "session_id" not in records.frame:
        _number_sessions(records)
    settle_times(records)
    _advance_ages(records)
    if has_ages:
        _report_unknown(records, "age_years", "an age", "visit_date")
    _read_sex(records, codings)
    _read_diagnosis(records, codings)
    _read_volumes(records)
    _read_determinants(records)
    leave_out_identifying(records)
    interpret_covariates(records)


def _read_participants(records: Records) -> None:
    frame = records.frame
    names = frame["participant_id"]
    people = parse_text(names)
    unnamed = people.isna()
    stand_in = NAMELESS + frame[SOURCE_ROW].astype("str") + ")"
    frame["participant_id"] = people.mask(unnamed, stand_in)
    records.report(unnamed, "participant_id", "got nothing, an identifier is expected in each row")
    # nobody knows whose visits these are, so that they have no order
    records.untimed |= set(stand_in[unnamed])
    if pd.api.types.is_float_dtype(names):
        records.report(
            names.abs() >= _WHOLE_BELOW,
            "participant_id",
            "got {value}, of which a number keeps only the first 15 digits; identifiers stored as "
            "text are expected",
        )


def _drop_unattended(records: Records) -> None:
    """Leave out waves that did not take place: those without an age and without any volume.

    What a table tells of people once is of their baseline, which took place.
    """
    frame = records.frame
    # a person's volumes at baseline stand on every row
    volumes = [name for name in list_volume_columns(frame) if not name.startswith(AT_BASELINE)]
    telling = [name for name in ("age_years", *volumes) if name in frame]
    if not records.has_unattended_visits or not telling:
        return
    sessions = parse_text(frame["session_id"]).fillna("")
    months = map_kinds(sessions, lambda name: read_months_of_name(str(name)))
    attended = months.eq(0).to_numpy()
    for name in telling:
        attended = attended | ~is_missing(frame[name])
    if not attended.all():
        records.notes.append(
            f"{int((~attended).sum())} of {len(attended)} planned visits have no age and no "
            "volume, so they count as not attended."
        )
    records.frame = frame[attended].reset_index(drop=True)


def _read_ages(records: Records, codings: Codings, *, are_computed: bool) -> bool:
    """Read the age at each visit and at baseline, whichever the source has; False for neither."""
    given = [name for name in _AGES if name in records.frame]
    if not given:
        hint = "; a date of birth tells ages where each visit has a date (visit_date)"
        _report_absent(records, "age_years", hint)
    top_coded = np.zeros(len(records.frame), dtype=bool)
    for name in given:
        top_coded |= read_ages(
            records,
            name,
            age_unit=codings.age_unit,
            top=codings.top_coded_age,
            are_computed=are_computed,
        )
    frame = records.frame
    absent = {name: np.nan for name in _AGES if name not in frame}
    records.frame = frame.assign(**absent, **{TOP_CODED: top_coded})
    return bool(given)


def _advance_ages(records: Records) -> None:
    """Fill the ages that a source gives at baseline alone: they grow with time."""
    frame = records.frame
    if frame["age_years"].isna().all():
        name = records.column_names.get("baseline_age_years")
        records.column_names["age_years"] = name or str(records.get_source_name("age_years"))
    told = {
        problem.participant_id
        for problem in records.problems
        if problem.column in {records.get_source_name(name) for name in (*_AGES, "visit_date")}
    }
    later = frame["baseline_age_years"] + frame["months_from_baseline"] / MONTHS_PER_YEAR
    frame = frame.assign(age_years=frame["age_years"].fillna(later))
    frame = frame.assign(age_years=_fill_ages(records, frame))
    if not frame["age_years"].isna().all():
        records.report(
            frame["age_years"].isna() & ~frame["participant_id"].isin(told),
            "age_years",
            "got nothing, an age is expected",
        )
    dropped = ["baseline_age_years"] + ([] if frame[TOP_CODED].any() else [TOP_CODED])
    records.frame = frame.drop(columns=dropped)


def _fill_ages(records: Records, frame: pd.DataFrame) -> pd.Series:
    """Return the ages, those of visits without one from the person's other visits and the time."""
    ages = frame["age_years"]
    years = frame["months_from_baseline"] / MONTHS_PER_YEAR
    # where times or ages have a problem, neither says anything of the other
    wrong = {problem.participant_id for problem in records.problems}
    untold = frame[TOP_CODED].astype(bool) | frame["participant_id"].isin(wrong)
    start = (ages - years).mask(untold)
    filled: pd.Series = ages.fillna(
        start.groupby(frame["participant_id"]).transform("median") + years
    )
    n_filled = int((filled.notna() & ages.isna()).sum())
    if n_filled:
        records.notes.append(
            f"The ages of {tally(n_filled, 'visits')} follow from the same people's other visits."
        )
    return filled


def _read_sex(records: Records, codings: Codings) -> None:
    if "sex" not in records.frame:
        _report_absent(records, "sex")
        records.frame["sex"] = None
        return
    read_sex(records, coding=codings.sex, is_brlp=codings.is_brlp)
    _report_unknown(records, "sex", "F or M")


def _read_diagnosis(records: Records, codings: Codings) -> None:
    everyones, frame = codings.everyones_diagnosis, records.frame
    if everyones is not None and everyones not in DIAGNOSES and not is_another_diagnosis(everyones):
        raise CohortError(
            f"--diagnosis must be {', '.join(DIAGNOSES)} or one word for another disease, "
            f"got '{everyones}'."
        )
    if "diagnosis" not in frame and "baseline_diagnosis" in frame:
        frame["diagnosis"] = None
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
    if tells_later(records.get_source_name("diagnosis") or ""):
        records.report_all(
            "diagnosis",
            "this diagnosis is only known after baseline; name the diagnosis at baseline",
        )
    is_unstated = is_missing(frame["diagnosis"])
    read_diagnosis(records, "diagnosis", coding=codings.diagnosis, is_brlp=codings.is_brlp)
    if "baseline_diagnosis" in frame:
        _fill_baseline_diagnosis(records, codings, is_unstated)
    if not is_missing(frame[PERSON_DIAGNOSIS]).all():
        read_diagnosis(records, PERSON_DIAGNOSIS, coding=codings.diagnosis, is_brlp=False)
    else:
        _report_unknown(records, "diagnosis", "a diagnosis")


def _fill_baseline_diagnosis(
    records: Records, codings: Codings, is_unstated: npt.NDArray[np.bool_]
) -> None:
    """Fill the diagnosis of baseline visits that have none from the one stated for baseline."""
    frame = records.frame
    is_open = (frame["months_from_baseline"] == 0) & is_unstated
    frame["baseline_diagnosis"] = frame["baseline_diagnosis"].where(is_open)
    read_diagnosis(records, "baseline_diagnosis", coding=codings.diagnosis, is_brlp=False)
    frame["diagnosis"] = frame["diagnosis"].fillna(frame.pop("baseline_diagnosis"))


def _read_sessions(records: Records) -> None:
    sessions = parse_text(records.frame["session_id"])
    records.report(sessions.isna(), "session_id", "got nothing, the name of a visit is expected")
    records.frame["session_id"] = sessions.fillna("(none)")


def _number_sessions(records: Records) -> None:
    """Name visits by their order in time; two of one time stay one, as the check expects.

    Whose times have gaps is ordered by ages, and by rows where those have gaps too.
    """
    frame = records.frame
    people = frame["participant_id"]
    time = frame.groupby("participant_id", sort=False).cumcount().astype(float)
    for name in ("age_years", "months_from_baseline"):
        is_whole = frame[name].notna().groupby(people).transform("all")
        time = frame[name].where(is_whole, time)
    number = time.groupby(people).rank(method="dense").astype(int)
    records.frame = frame.assign(session_id="ses-" + number.astype("str").str.zfill(2))
    records.has_named_sessions = False


def _read_volumes(records: Records) -> None:
    for column in list_volume_columns(records.frame):
        volumes, wrong = parse_numbers(records.frame[column])
        own = column.removeprefix(AT_BASELINE)
        records.report_text(wrong, column, "a volume in numbers")
        records.frame[column] = volumes * records.volume_factors.get(own, 1.0)
    _place_baseline_volumes(records)
    _complete_brain(records)


def _read_determinants(records: Records) -> None:
    if _DETERMINANT not in records.frame:
        return
    found, wrong = parse_numbers(records.frame[_DETERMINANT])
    sound = found.where(found.gt(0) & np.isfinite(found))
    is_off = wrong | (found.notna() & sound.isna()).to_numpy()
    records.report(is_off, _DETERMINANT, "got {value}, a number above 0 is expected")
    records.frame[_DETERMINANT] = sound


def _place_baseline_volumes(records: Records) -> None:
    """Give a person's volumes to the baseline visit: they were measured once."""
    frame = records.frame
    held = [name for name in list_volume_columns(frame) if name.startswith(AT_BASELINE)]
    if not held:
        return
    at_baseline = frame["months_from_baseline"] == 0
    placed = {}
    for name in held:
        own = name.removeprefix(AT_BASELINE)
        stated = frame[name].where(at_baseline)
        placed[own] = frame[own].fillna(stated) if own in frame else stated
    records.frame = frame.drop(columns=held).assign(**placed)
    records.notes.append(
        "Volumes that a table gives once a person were taken for the baseline visit: "
        f"{', '.join(join_names(placed))}."
    )


def _complete_brain(records: Records) -> None:
    """Make `brain` of its parts where a table has those of FreeSurfer or of SynthSeg.

    FreeSurfer's BrainSegVol leaves the brain stem out and counts fluid in; SynthSeg's table has
    every part and no sum.
    """
    frame, brain = records.frame, name_volume_column(BRAIN)
    whole, stem, fluid = (name_volume_column(name) for name in (BRAIN_SEG, "brain_stem", "csf"))
    if whole in frame:
        if brain not in frame and {stem, fluid} <= set(frame):
            frame[brain] = frame[whole] + frame[stem] - frame[fluid]
        elif brain not in frame:
            records.notes.append(
                "BrainSegVol was left out: it lacks the brain stem, which the table does not give."
            )
        records.frame = frame.drop(columns=whole)
        return
    parts = [name_volume_column(name) for name in BRAIN_PARTS]
    if brain not in frame and set(parts) <= set(frame):
        frame[brain] = frame[parts].sum(axis=1, skipna=False)


def _report_unknown(records: Records, column: str, expected: str, *read_with: str) -> None:
    """Report a column that tells nobody's value, unless something was said of it.

    Parameters
    ----------
    records, column
        The column, which is in the frame.
    expected
        What everyone should have.
    *read_with
        Columns that it is computed from.
    """
    values = records.frame[column]
    own = {records.get_source_name(name) for name in (column, *read_with)}
    is_told = not own.isdisjoint(one.column for one in records.problems)
    if len(values) and values.isna().all() and not is_told:
        records.report_all(column, f"nobody's is known; {expected} is expected of everyone")


def _report_absent(records: Records, column: str, hint: str = "") -> None:
    own = {str(name) for name in records.frame if str(name) not in PROVENANCE + WHILE_READING}
    names = sorted({records.column_names.get(name, name) for name in own} - {*STANDARD})
    others = f" (other columns: {', '.join(join_names(names, limit=12))})" if names else ""
    records.report_all(
        None, f"no column {column}{others}; name it with --map COLUMN={column}{hint}"
    )
