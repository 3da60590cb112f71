"""Find, read and validate a cohort, whatever form it has."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from shlex import quote
from typing import Final

import pandas as pd

from cohorts.cohort import Cohort
from cohorts.entrances import Names, entrance
from cohorts.errors import CohortError
from cohorts.files.atomic import refuse_address
from cohorts.files.folder import is_cohort_folder
from cohorts.keys import is_among
from cohorts.sources.assembly import (
    add_both_sides,
    build_participants,
    build_visits,
    build_volumes,
    complete_visits,
)
from cohorts.sources.bids.dataset import holds_images, is_bids_dataset, read_bids_records
from cohorts.sources.bids.files import Filter
from cohorts.sources.checks.whole import check_records, require_people, separate_rejected
from cohorts.sources.columns import looks_like_region, looks_like_volume
from cohorts.sources.freesurfer.subjects import is_freesurfer_folder, read_freesurfer_records
from cohorts.sources.meaning.codings import Coding
from cohorts.sources.meaning.interpretation import Codings, interpret
from cohorts.sources.profile import read_profile
from cohorts.sources.reading import Reading
from cohorts.sources.records import PROVENANCE, VOLUME_SOURCE, Records, join_names, show
from cohorts.sources.scans.image_reading import Progress, measure_scans
from cohorts.sources.tables.table import is_brlp_csv, read_brlp_records, read_table_records
from cohorts.sources.values import parse_codes
from cohorts.visits import order_visits


@entrance
def load_cohort(
    path: str | Path,
    *,
    column_map: Mapping[str, str] | None = None,
    age_unit: str | None = None,
    sex_coding: Coding | None = None,
    diagnosis_coding: Coding | None = None,
    diagnosis: str | None = None,
    top_coded_age: float | None = None,
    missing: str | Sequence[str | float] | None = None,
    ignore: Names = (),
    pipeline: str | None = None,
    bids_filters: Mapping[str, Filter] | None = None,
    profile: str | Path | None = None,
    participants: Names = (),
    on_reading: Callable[[pd.DataFrame], None] | None = None,
    quarantine: bool = False,
    measured_by: str | None = None,
    progress: Progress | None = None,
) -> Cohort:
    """Return the cohort at `path`, once everything in it has been checked.

    Parameters
    ----------
    path
        A BIDS dataset, a FreeSurfer subjects folder with a `participants.tsv`, a table (CSV, TSV,
        Parquet), BrLP's CSV, or the folder of an imported cohort.
    column_map
        Name in the file -> standard name, for columns that are not recognized.
    age_unit
        `years`, `months` or `hundredths`; detected where left out.
    sex_coding, diagnosis_coding
        What codes mean, as `"0=M,1=F"` or a mapping; detected where only one reading is possible.
    diagnosis
        Everyone's diagnosis, for data without a diagnosis.
    top_coded_age
        The age in years that stands for a bound such as `90+`; left out, the bound itself.
    missing
        Codes of missing values beyond the usual spellings, as `"-4,-9999"` or a list; `none`
        states that there are none. Left out, numbers that look like codes are problems.
    ignore
        Columns to leave out.
    pipeline
        Which folder under `derivatives/` of a BIDS dataset gives segmentations and volumes.
    bids_filters
        `t1w` and `dseg` -> entities that such files must have, as fMRIPrep's filter file says it.
    profile
        How the tables of a known study or tool are written: a name of
        `cohorts.sources.profile.list_profiles`, or the path of a TOML file. What else is stated
        wins.
    participants
        The people of a BIDS dataset to read, with or without `sub-`; everyone where left out.
    on_reading
        Called with what each column was understood as and the first visits as they were read; see
        `explain_reading`.
    quarantine
        Let sound people go on and list the others in `Cohort.rejected`.
    measured_by
        The tool whose volumes are kept, a value of `source` in the table `volumes`; all are where
        left out.
    progress
        Called with (scans read, scans in all) after each scan.

    Returns
    -------
    Cohort
        Its people, visits and volumes, with what was decided while reading.

    Raises
    ------
    CohortError
        Where nothing readable is at `path`, or a column or coding cannot be told.
    CohortValidationError
        With every problem of the data at once.

    Examples
    --------
    A folder `screened` of 80 people, such as `trialsim cohort synthesize screened` makes:

    >>> import trialsim as ts
    >>> len(ts.load_cohort("screened").participants)
    80
    """
    path = find_source(path)
    known = read_profile(profile)
    codings = Codings(
        age_unit or known.age_unit,
        sex_coding or known.sex_coding,
        diagnosis_coding or known.diagnosis_coding,
        diagnosis,
        top_coded_age,
        is_brlp_csv(path),
    )
    reading = Reading(
        column_map or {},
        parse_codes(missing),
        tuple(ignore),
        pipeline,
        bids_filters or {},
        tuple(participants),
        known,
    )
    if is_cohort_folder(path):
        cohort = _load_imported(path, codings=codings, reading=reading, quarantine=quarantine)
        return cohort if measured_by is None else cohort.select(source=measured_by)
    records = read_records(path, reading=reading)
    interpret(records, codings)
    if on_reading is not None:
        on_reading(explain_reading(records))
    measure_scans(records, progress=progress)
    records.frame = complete_visits(records.frame)
    check_records(records)
    rejected = separate_rejected(records.problems, quarantine=quarantine)
    cohort = _build_cohort(records, rejected)
    return cohort if measured_by is None else cohort.select(source=measured_by)


def explain_reading(records: Records) -> pd.DataFrame:
    """Return what each column of a source was understood as, beside the first rows of the table.

    Returns
    -------
    DataFrame
        `column` in the source, `read_as` here, `n_known` values, and `visit 1` to `visit 5`: the
        first visits as they are after reading, one column a visit.
    """
    own = records.frame.drop(columns=[*PROVENANCE], errors="ignore")
    first = own.head(_SHOWN_VISITS)
    rows = [
        (
            records.get_source_name(str(name)),
            str(name),
            int(own[name].notna().sum()),
            *map(show, first[name]),
        )
        for name in own
    ]
    visits = [f"visit {i + 1}" for i in range(len(first))]
    return pd.DataFrame(rows, columns=["column", "read_as", "n_known", *visits])


_SHOWN_VISITS: Final = 5


def find_source(path: str | Path) -> Path:
    """Return where a cohort is, as an absolute path.

    Raises
    ------
    CohortError
        Where nothing is there.
    StorageError
        Where it is an address.
    """
    path = Path(path).expanduser().absolute()
    refuse_address(path)
    if not path.exists():
        raise CohortError(f"{path} does not exist: give a cohort folder, BIDS dataset or table.")
    return path.resolve()


def read_records(path: Path, *, reading: Reading) -> Records:
    """Return the visits of a source that is not imported yet; its scans are found, not read.

    Raises
    ------
    CohortError
        Where nothing readable is at `path`, or a column cannot be told.
    """
    if path.is_dir():
        if is_freesurfer_folder(path) and not holds_images(path):
            return read_freesurfer_records(path, reading=reading)
        if is_bids_dataset(path):
            return read_bids_records(path, reading=reading)
        raise CohortError(
            f"{path} is no cohort: a folder needs cohort.json (an imported cohort), "
            "participants.tsv or sub-*/anat (BIDS), or <subject>/stats/aseg.stats (FreeSurfer)."
            f"{_name_cohorts_in(path)}"
        )
    read = read_brlp_records if is_brlp_csv(path) else read_table_records
    records = read(path, reading=reading)
    if reading.pipeline is not None or reading.filters:
        records.notes.append(
            f"{path.name} is a table, of which --pipeline and --bids-filter-file choose nothing."
        )
    return records


def _name_cohorts_in(folder: Path) -> str:
    """Say which of the folders in a folder are cohorts, for whoever named the one above them."""
    below = sorted(path for path in folder.iterdir() if path.is_dir())[:_LOOKED_INTO]
    names = [
        str(path)
        for path in below
        if is_cohort_folder(path) or is_bids_dataset(path) or is_freesurfer_folder(path)
    ]
    return f" Did you mean {' or '.join(names)}?" if names else ""


_LOOKED_INTO: Final = 50


def _build_cohort(records: Records, rejected: pd.DataFrame) -> Cohort:
    told = [name for name in PROVENANCE if name in records.frame and name != VOLUME_SOURCE]
    frame = add_both_sides(records.frame.drop(columns=told))
    # a million people are held once
    records.frame = records.frame.iloc[:0]
    sound = ~is_among(frame["participant_id"], rejected["participant_id"].unique())
    frame = order_visits(frame[sound])
    require_people(frame, rejected)
    tables = build_participants(frame), build_visits(frame), build_volumes(frame)
    del frame
    _, visits, volumes = tables
    unmeasured = volumes.empty and not visits["image_path"].notna().any()
    if unmeasured:
        _refuse_unread_volumes(records)
    return Cohort(
        *tables,
        name=records.name,
        is_synthetic=records.is_synthetic,
        sources=tuple(records.sources),
        notes=(*records.notes, *([_UNMEASURED] if unmeasured else _tell_unread(tables[0]))),
        rejected=rejected,
    )


def _tell_unread(participants: pd.DataFrame) -> list[str]:
    """Tell which covariates look like regions: nothing measured is read of them."""
    numbers = participants.select_dtypes("number")
    names = [
        str(name)
        for name in numbers
        if looks_like_region(str(name)) and numbers[name].nunique() > _FEWEST_VOLUMES
    ]
    if not names:
        return []
    return [
        f"Read as covariates, not as volumes, though their names look like regions: "
        f"{', '.join(join_names(names))}. --map {quote(f'{names[0]}=REGION_mm3')} (or _ml) says "
        f"which region one is, such as left_hippocampus_mm3; --ignore {quote(names[0])} leaves it "
        "out."
    ]


def _refuse_unread_volumes(records: Records) -> None:
    """Refuse people without any volume where columns look as if they held them."""
    names = [name for name in records.column_names.values() if looks_like_volume(name)]
    if names:
        raise CohortError(
            f"Nobody has a volume or a scan, though columns look like volumes "
            f"({', '.join(join_names(dict.fromkeys(names)))}): say what they are with --map "
            f"{quote(f'{names[0]}=hippocampus_mm3')}, or leave them out with --ignore "
            f"{quote(names[0])}."
        )


_FEWEST_VOLUMES: Final = 2
"""Different values: what is but yes or no is no volume."""

_UNMEASURED: Final = (
    "Nobody has a volume or a scan: no column was understood as a volume. --show-reading shows "
    "what each was understood as, --map COLUMN=hippocampus_mm3 says what one is."
)


def _load_imported(folder: Path, *, codings: Codings, reading: Reading, quarantine: bool) -> Cohort:
    if reading != Reading() or codings != Codings():
        raise CohortError(
            f"{folder} is an imported cohort: its columns and codings are settled, so what is "
            "stated about those of its source (--map, --missing, --age-unit ...) does not apply."
        )
    return Cohort.read(folder, quarantine=quarantine)
