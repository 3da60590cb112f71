"""What the codes in a file mean: the unit of ages, the codes of sex, the codes of diagnosis.

A coding is taken from the user, or detected where only one reading is possible; what was detected
is noted for the user to see. Where two readings are possible, the error names the option.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from cohorts.errors import CohortError
from cohorts.keys import map_kinds
from cohorts.restated import find_restated
from cohorts.schema import DIAGNOSES, SEXES
from cohorts.sources.records import Records, join_names
from cohorts.sources.values import is_number, parse_numbers, parse_text
from cohorts.sources.visit_times.times import TOP_CODED

Coding = str | Mapping[str, str]
"""`0=M,1=F`, or the same as a mapping from the code in the file to the value here."""

AGE_UNITS_YEARS: Final = {"years": 1.0, "months": 1 / 12, "hundredths": 100.0}
"""Age unit -> years. `hundredths` is BrLP's age / 100."""

_ADULT_AGES: Final = (18.0, 110.0)

_TOP_CODED: Final = r"^(?:>=?|≥)\s*(\d{2,3})$|^(\d{2,3})\s*(?:\+|or (?:older|more|above))$"
"""An age that is only known to be at least so much, as privacy rules ask: `90+`, `>89`."""

_LATER_LABEL: Final = re.compile(
    r"convert|^[ps]mci$|^mci-?[cps]$|progress|stable| to |reversion|non-?convert", re.IGNORECASE
)
"""A label that says what became of a person: it is made from later visits."""

_SEX_WORDS: Final = {"f": "F", "female": "F", "m": "M", "male": "M"}

_DIAGNOSIS_WORDS: Final = {
    **dict.fromkeys(("cn", "nc", "nl", "hc", "cognitively normal", "control", "normal"), "CN"),
    **dict.fromkeys(("mci", "emci", "lmci", "mild cognitive impairment"), "MCI"),
    **dict.fromkeys(("ad", "alzheimer's disease", "alzheimers disease", "alzheimer"), "AD"),
}

_DISEASE: Final = re.compile(r"^[A-Za-z][A-Za-z0-9_-]*$")
"""A diagnosis of another disease, in one word: it names columns and groups."""

_BRLP_SEX_CODES: Final = ({"0": "M", "1": "F"}, {"1": "M", "2": "F"})
_BRLP_DIAGNOSIS_CODES: Final = {"0": "CN", "0.5": "MCI", "1": "AD"}


def is_another_diagnosis(word: str) -> bool:
    """Say whether a stated diagnosis is one of another disease: no spelling of CN, MCI or AD.

    Examples
    --------
    >>> is_another_diagnosis("RRMS"), is_another_diagnosis("Alzheimer"), is_another_diagnosis("3")
    (True, False, False)
    """
    return bool(_DISEASE.match(word)) and word.lower() not in _DIAGNOSIS_WORDS


def parse_coding(
    coding: Coding | None,
    *,
    values: tuple[str, ...],
    option: str,
    is_another: Callable[[str], bool] = lambda _: False,
) -> dict[str, str]:
    """Return code -> value for a stated coding; empty where none is stated.

    Parameters
    ----------
    coding
        What is stated.
    values
        The values that a code may have.
    option
        Its name, for the error.
    is_another
        Says of any other value whether it may stand.

    Raises
    ------
    CohortError
        For text that is no list of `code=value`, for a value that is not one of `values`, and for a
        code with two values.

    Examples
    --------
    >>> parse_coding("0=M,1=F", values=("F", "M"), option="--sex-coding")
    {'0': 'M', '1': 'F'}
    """
    if coding is None:
        return {}
    pairs = coding.items() if isinstance(coding, Mapping) else map(_split_pair, coding.split(","))
    listed = [(_plain(str(code)), str(value).strip()) for code, value in pairs]
    if restated := find_restated(listed):
        raise CohortError(*(f"{option}: {one}; one value is expected." for one in restated))
    stated = dict(listed)
    if not stated or not all(v in values or is_another(v) for v in stated.values()):
        raise CohortError(
            f"{option} must say what each code means, like "
            f"'{','.join(f'{i}={value}' for i, value in enumerate(values))}' "
            f"(values {', '.join(values)}), got '{coding}'."
        )
    return stated


def read_ages(
    records: Records,
    column: str,
    *,
    age_unit: str | None,
    top: float | None = None,
    are_computed: bool = False,
) -> npt.NDArray[np.bool_]:
    """Turn an age column into years, and return which ages are bounds such as `90+`.

    Parameters
    ----------
    records
        The visits.
    column
        `age_years` or `baseline_age_years`.
    age_unit
        The unit; None detects it.
    top
        The age in years that stands for a bound; None takes the bound itself.
    are_computed
        Whether the ages follow from dates, so that they are in years.

    Raises
    ------
    CohortError
        For a stated unit that does not exist.
    """
    if age_unit is not None and age_unit not in AGE_UNITS_YEARS:
        raise CohortError(
            f"--age-unit must be one of {', '.join(AGE_UNITS_YEARS)}, got '{age_unit}'."
        )
    values = records.frame[column]
    is_bound, bounds = _find_bounds(values)
    ages, wrong = parse_numbers(values.mask(is_bound) if is_bound.any() else values)
    records.report_text(wrong, column, "an age in numbers")
    if are_computed:
        age_unit = "years"
    unit = age_unit or _detect_age_unit(records, column, ages.to_numpy())
    years = ages * AGE_UNITS_YEARS[unit]
    if is_bound.any():
        years = years.mask(is_bound, bounds if top is None else top)
        records.notes.append(
            f"{int(is_bound.sum())} ages are bounds ({values[is_bound].iloc[0]}): they count as "
            f"{years[is_bound].iloc[0]:g} years and are marked in {TOP_CODED}"
            + (" (--top-coded-age states another)." if top is None else ".")
        )
    records.frame[column] = years
    if unit != "years" and age_unit is None:
        records.notes.append(f"Ages were read as {unit} (detected; --age-unit states it).")
    return is_bound


def _find_bounds(values: pd.Series) -> tuple[npt.NDArray[np.bool_], "pd.Series[float]"]:
    """Return which ages are bounds, and the bounds; a column of numbers has none."""
    if pd.api.types.is_numeric_dtype(values):
        return np.zeros(len(values), dtype=bool), values
    text = values.astype("str")
    # nearly all ages are numbers, and taking a text apart costs a hundred times what this does
    bounded = text[text.str.contains("[>≥+r]").fillna(False).astype(bool)]
    before, after = (part for _, part in bounded.str.strip().str.extract(_TOP_CODED).items())
    bounds = before.fillna(after).astype(float).reindex(values.index)
    return bounds.notna().to_numpy(), bounds


def _detect_age_unit(records: Records, column: str, ages: np.ndarray) -> str:
    ages = ages[np.isfinite(ages)]
    low, high = _ADULT_AGES
    # the bounds are converted: an absurd age would overflow
    share = {
        unit: float(np.mean((ages >= low / years) & (ages <= high / years))) if ages.size else 0.0
        for unit, years in AGE_UNITS_YEARS.items()
    }
    unit = max(share, key=lambda unit: share[unit])
    if share[unit] <= 0.5 and ages.size:
        records.report_all(
            column,
            f"ages from {ages.min():.6g} to {ages.max():.6g} are mostly not those of adults in one "
            f"unit; state it with --age-unit {'|'.join(AGE_UNITS_YEARS)}",
        )
        return "years"
    return unit


def read_sex(records: Records, *, coding: Coding | None, is_brlp: bool) -> None:
    """Turn the column `sex` into F and M."""
    stated = parse_coding(coding, values=SEXES, option="--sex-coding")
    codes = _read_codes(records.frame["sex"])
    forms = _BRLP_SEX_CODES if is_brlp else ()
    _decode(records, "sex", codes, stated=stated, words=_SEX_WORDS, forms=forms, values=SEXES)


def read_diagnosis(records: Records, column: str, *, coding: Coding | None, is_brlp: bool) -> None:
    """Turn a column of diagnoses into CN, MCI, AD, and what a coding states beside them."""
    stated = parse_coding(
        coding, values=DIAGNOSES, option="--diagnosis-coding", is_another=is_another_diagnosis
    )
    codes = _read_codes(records.frame[column])
    # 0, 1, 2 may mean CN, MCI, AD: only a half, or a BrLP file without other codes, is BrLP's form.
    is_form = is_brlp and bool(codes.dropna().isin(list(_BRLP_DIAGNOSIS_CODES)).all())
    forms = (_BRLP_DIAGNOSIS_CODES,) if is_form or bool((codes == "0.5").any()) else ()
    _decode(
        records,
        column,
        codes,
        stated=stated,
        words=_DIAGNOSIS_WORDS,
        forms=forms,
        values=DIAGNOSES,
    )


def _decode(
    records: Records,
    column: str,
    codes: pd.Series,
    *,
    stated: Mapping[str, str],
    words: Mapping[str, str],
    forms: tuple[dict[str, str], ...],
    values: tuple[str, ...],
) -> None:
    option = "sex" if column == "sex" else "diagnosis"
    found = [str(code) for code in codes.dropna().unique()]
    known = {code: words[code.lower()] for code in found if code.lower() in words}
    numeric = [code for code in found if is_number(code)]
    if stated:
        known |= {code: stated[code] for code in found if code in stated}
    elif numeric:
        known |= _detect_form(records, column, numeric, option=option, forms=forms, values=values)
    unknown = codes.notna() & ~codes.isin(list(known))
    is_later = unknown & codes.astype("str").str.contains(_LATER_LABEL) & (option == "diagnosis")
    records.report(
        is_later,
        column,
        "got {value}, which tells what became of the person later; the diagnosis at this visit is "
        "expected; --diagnosis-coding says what it was",
    )
    records.report(
        unknown & ~is_later,
        column,
        f"got {{value}}, {', '.join(values)} is expected; --{option}-coding says what codes mean",
    )
    records.frame[column] = map_kinds(codes, lambda code: known.get(str(code)))
    renamed = sorted(f"{code} = {value}" for code, value in known.items() if code != value)
    if renamed:
        how = "stated" if stated else f"detected; --{option}-coding states it"
        records.notes.append(
            f"{option.capitalize()} was read as {', '.join(join_names(renamed))} ({how})."
        )


def _detect_form(
    records: Records,
    column: str,
    numeric: list[str],
    *,
    option: str,
    forms: tuple[dict[str, str], ...],
    values: tuple[str, ...],
) -> dict[str, str]:
    # A code outside every form is one wrong row if the others still pick one form out.
    counts = [len(set(numeric) & set(form)) for form in forms]
    best = [form for form, count in zip(forms, counts, strict=True) if count == max(counts) > 0]
    if len(best) == 1:
        return {code: value for code, value in best[0].items() if code in numeric}
    orders = [values]
    if option == "sex":
        # most studies write 1 for men and 2 for women
        orders = [values, values[::-1]] if "0" in numeric else [values[::-1], values]
    examples = " or ".join(
        f"--{option}-coding "
        + ",".join(f"{code}={value}" for code, value in zip(sorted(numeric), order, strict=False))
        for order in orders
    )
    records.report_all(
        column,
        f"the codes {', '.join(join_names(sorted(numeric)))} can be read in more than one way; "
        f"state them as the source's dictionary does, for example {examples}",
    )
    return dict.fromkeys(numeric, values[0])


def _read_codes(values: pd.Series) -> pd.Series:
    codes = parse_text(values)
    return map_kinds(codes, lambda code: _plain(str(code)))


def _plain(code: str) -> str:
    code = code.strip()
    return f"{float(code):.10g}" if is_number(code) else code


def _split_pair(pair: str) -> tuple[str, str]:
    code, _, value = pair.rpartition("=")
    return code, value
