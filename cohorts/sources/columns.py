"""Which column of a file is which: standard names, their usual spellings, the user's mapping."""

import re
from collections.abc import Collection, Hashable, Iterable, Mapping
from shlex import quote
from typing import Final

from cohorts.errors import CohortError
from cohorts.labels import FREESURFER_REGIONS, MIDLINE_CODES, SIDED_CODES
from cohorts.restated import find_restated
from cohorts.schema import BRAIN, CONTEXT_REGIONS, HEAD_SIZE, REPORTED_REGIONS, SIDES

SPELLINGS: Final[dict[str, tuple[str, ...]]] = {
    "participant_id": ("subject_id", "subject", "ptid", "patient_id", "id", "measure:volume"),
    "session_id": ("session", "visit_id", "viscode", "image_uid"),
    "age_years": ("age", "age_at_visit", "age_at_scan"),
    "baseline_age_years": ("baseline_age", "age_at_baseline", "age_bl"),
    "sex": ("gender", "ptgender"),
    "diagnosis": ("dx",),
    "baseline_diagnosis": ("dx_bl", "diagnosis_bl", "dx_baseline", "diagnosis_baseline"),
    "months_from_baseline": ("months", "month_bl"),
    "years_from_baseline": ("years_bl",),
    "days_from_baseline": (),
    "visit_date": ("acq_time", "examdate", "scan_date"),
    "image_path": (),
    "segmentation_path": ("segm_path",),
    "determinant": (),
    "apoe4": (),
    "education_years": ("education", "pteducat"),
    "mmse": ("mmse_score", "mmscore"),
    "site": (),
    "volume_source": (),
}
"""Standard column name -> other names under which files hold it, in lower case."""

VOLUME_UNITS_MM3: Final = {"mm3": 1.0, "ml": 1000.0, "cm3": 1000.0}
"""The units that a volume column's name can end in, in mm3."""

_PARTS: Final = re.compile(r"(?<=[a-z])(?=[A-Z])|[^A-Za-z0-9.]+|(?<!\d)\.|\.(?!\d)")
"""Where the words of a name part: `dxM24`, `dx m24` and `dx.m24` are dx and m24."""

_SOME: Final = r"(?!0+(\.0+)?(?![\d.]))\d{1,3}(\.\d+)?"
_UNITS: Final = "(mos?|mths?|months?|wks?|weeks?|yrs?|years?)"
_QUARTERS: Final = "0?[369]|12|15|18|21|24|27|30|33|36|42|48|54|60|72|84|96|108|120"
_AFTER_BASELINE: Final = re.compile(
    # what became of somebody
    r"(^|_)(last|latest|final|future|follow_?ups?|fu\d*|target|outcomes?|conver(sion|ter|ted)"
    r"|progress(ors?|ed)|[ps]_?mci|(time|days|weeks|months|years)_to|death|died|deceased"
    r"|autopsy|censor(ed|ing)?|drop_?outs?|change|delta|slope|annuali[sz]ed|(atrophy|decline)_rate"
    # a time: m24, month_24, y2, w52, day730; m1 is a gyrus, gait_4m a distance
    rf"|m(0[1-9]|[1-9]\d+|[369])|{_UNITS}_?{_SOME}|y{_SOME}|days?_?\d{{2,4}}|d\d{{3,4}}|{_SOME}[yw]"
    # a visit
    r"|(visit|wave)_?0*([2-9]|[1-9]\d+)|(ses_?|w|v)0*([2-9]|[1-9]\d+)(?=$))(_|$)"
    # 24m, 24_months, with or without something before it
    rf"|(^|_|(?<=[a-z]))({_SOME}{_UNITS}|({_QUARTERS})m)(_|$)|(^|_){_SOME}_{_UNITS}(_|$)"
    r"|W\d+_?to_?W\d+",
    re.IGNORECASE,
)

_LIKE_A_VOLUME: Final = re.compile(
    r"(?<!s)hipp|ventric|amygdal|mm3|cm3|(^|_)(icv|etiv|vol(ume)?s?)(_|$)", re.IGNORECASE
)

_LIKE_A_REGION: Final = re.compile(
    _LIKE_A_VOLUME.pattern + r"|thalam|caudate|putamen|pallid|accumbens|entorhinal|cerebell"
    r"|(^|_)cortex(_|$)|(white|gr[ae]y)_?matter",
    re.IGNORECASE,
)
_NO_VOLUME: Final = re.compile(r"thick|area|curv|suvr?|z_?score|percent|pct|rate", re.IGNORECASE)

REGIONS: Final = frozenset(
    {*SIDED_CODES, *MIDLINE_CODES, *CONTEXT_REGIONS, *REPORTED_REGIONS, BRAIN}
    | {f"{side}_{region}" for side in SIDES for region in SIDED_CODES}
)

_SAYING_THE_SAME: Final = (
    frozenset({"months_from_baseline", "years_from_baseline", "days_from_baseline", "visit_date"}),
    frozenset({"age_years", "baseline_age_years"}),
)
"""Standard columns of which one is enough."""

_REGION_NAMES: Final = {
    **dict.fromkeys(
        ("head_size", "icv", "etiv", "intracranial_volume", "total_intracranial"), HEAD_SIZE
    ),
    "3rd_ventricle": "third_ventricle",
    "4th_ventricle": "fourth_ventricle",
    "left_accumbens_area": "left_accumbens",
    "right_accumbens_area": "right_accumbens",
}
"""Names of regions in lower case -> ours; SynthSeg's table has the last ones."""


def standardize_names(
    names: Iterable[str], *, stated: Collection[str], file: str
) -> dict[str, str]:
    """Return name -> standard name by the usual spellings.

    Parameters
    ----------
    names
        The columns, after the user's mapping.
    stated
        Standard names that the user gave to a column: no other column can claim them.
    file
        Named in errors.

    Raises
    ------
    CohortError
        For two columns that claim one standard name.
    """
    standard = {name: get_standard_name(name) for name in names}
    standard = {
        name: name if target in stated and name != target else target
        for name, target in standard.items()
    }
    claimants: dict[str, list[str]] = {}
    for name, target in standard.items():
        claimants.setdefault(target, []).append(name)
    problems = [
        f"{file} has several columns for {target} ({', '.join(claims)}): say which one with "
        f"--map {quote(f'{claims[0]}={target}')}."
        for target, claims in claimants.items()
        if len(claims) > 1
    ]
    if problems:
        raise CohortError(*problems)
    return standard


def list_superseded(standard: Mapping[str, str], *, stated: Collection[str]) -> list[str]:
    """Return the columns that tell a time or an age for which the user states another column.

    Parameters
    ----------
    standard
        Column -> standard name.
    stated
        Standard names that the user gave to a column.
    """
    settled = [group for group in _SAYING_THE_SAME if group & set(stated)]
    return [
        name
        for name, target in standard.items()
        if target not in stated and any(target in group for group in settled)
    ]


def get_standard_name(name: str) -> str:
    """Return the standard name of a column, or its own name where none is known."""
    plain = name.strip().lower().replace(" ", "_")
    for standard, spellings in SPELLINGS.items():
        if plain == standard or plain in spellings:
            return standard
    volume = split_volume_name(name)
    if volume is None:
        return name.strip()
    return name_volume_column(volume[0])


def name_volume_column(region: str) -> str:
    """Return the column that holds a region's volume: `<region>_mm3`."""
    return region if region == HEAD_SIZE else f"{region}_mm3"


def get_region(column: str) -> str:
    """Return the region of a volume column."""
    return column if column == HEAD_SIZE else column.removesuffix("_mm3")


def list_volume_columns(names: Iterable[Hashable]) -> list[str]:
    """Return the columns that hold volumes."""
    return [str(name) for name in names if str(name).endswith("_mm3")]


def split_volume_name(name: str) -> tuple[str, float] | None:
    """Return region, mm3 per unit for the name of a volume column; None for any other column.

    >>> split_volume_name("left_hippocampus_ml")
    ('left_hippocampus', 1000.0)
    """
    if name in FREESURFER_REGIONS:
        return FREESURFER_REGIONS[name], 1.0
    plain = name.strip().lower().replace(" ", "_").replace("-", "_")
    stem, _, unit = plain.rpartition("_")
    if unit not in VOLUME_UNITS_MM3:
        stem, unit = plain, "mm3"
        if stem not in REGIONS and stem not in _REGION_NAMES:
            return None
    return _REGION_NAMES.get(stem, stem), VOLUME_UNITS_MM3[unit]


def tells_later(name: str) -> bool:
    """Return whether a name tells of what happened after baseline, which no score may see.

    >>> [tells_later(name) for name in ("dx_24m", "MMSE.y2", "visit2_cdr", "mmse_change", "mmse")]
    [True, True, True, True, False]
    """
    return _AFTER_BASELINE.search(_PARTS.sub("_", name)) is not None


def looks_like_volume(name: str) -> bool:
    """Return whether a column's name tells of a volume, whether or not it is understood as one.

    >>> [looks_like_volume(name) for name in ("Hipp_Vol_L", "bl-hippocampus", "age")]
    [True, True, False]
    """
    return _LIKE_A_VOLUME.search(name.replace("-", "_").replace(" ", "_")) is not None


def looks_like_region(name: str) -> bool:
    """Return whether a column's name tells of the volume of a region, understood or not.

    >>> [looks_like_region(name) for name in ("L_Hipp", "left.thalamus", "lh_entorhinal_thickness")]
    [True, True, False]
    """
    plain = _PARTS.sub("_", name)
    return _LIKE_A_REGION.search(plain) is not None and _NO_VOLUME.search(plain) is None


def parse_column_map(pairs: list[str] | None) -> dict[str, str]:
    """Return column -> standard name for `COLUMN=standard_name` options.

    Raises
    ------
    CohortError
        For text of another form, and for a column that is mapped to two names.
    """
    split = [pair.rpartition("=") for pair in pairs or []]
    wrong = [
        pair
        for pair, (name, _, target) in zip(pairs or [], split, strict=True)
        if not name or not target
    ]
    if wrong:
        raise CohortError(
            *(f"--map must read COLUMN=standard_name, got '{pair}'." for pair in wrong)
        )
    stated = [(name.strip(), target.strip()) for name, _, target in split]
    if restated := find_restated(stated):
        raise CohortError(*(f"--map: {one}; one name is expected." for one in restated))
    return dict(stated)
