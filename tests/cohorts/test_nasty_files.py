"""Whatever a workbook or a file of a statistics program holds: a cohort or sentences."""

import datetime
import io
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import openpyxl
import pandas as pd
import pyreadstat
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.cohorts.test_nasty_input import CELLS, HEADERS, load_or_refuse, nasty

TYPED = st.one_of(
    CELLS.map(lambda text: "".join(letter for letter in text if letter.isprintable())),
    st.none(),
    st.booleans(),
    st.integers(-(2**40), 2**40),
    st.floats(),
    st.dates(datetime.date(1900, 1, 1)),
    st.datetimes(datetime.datetime(1900, 1, 1)),
)
NAMES = st.one_of(HEADERS, st.text(max_size=3), st.none(), st.floats(), st.dates())


@nasty
@given(
    rows=st.lists(st.lists(TYPED, max_size=6), max_size=4),
    header=st.lists(NAMES, max_size=6),
    people=st.booleans(),
    second=st.booleans(),
)
def test_workbook_of_any_cells(
    rows: list[list[Any]], header: list[Any], people: bool, second: bool, tmp_path: Path
) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    lead = ["participant_id", "sex", "age", "dx"] if people else []
    for i, row in enumerate([[*lead, *header], *rows]):
        own = [f"s{i}", "F", 70 + i, "CN"] if people and i else []
        try:
            sheet.append([*own, *row])
        except (ValueError, TypeError, openpyxl.utils.exceptions.IllegalCharacterError):
            continue
    if second:
        book.create_sheet("=2").append([None, ""])
    try:
        book.save(tmp_path / "t.xlsx")
    except (ValueError, OverflowError):
        return  # what cannot be written cannot be met
    load_or_refuse(tmp_path / "t.xlsx")


NUMBERS = st.one_of(st.floats(), st.sampled_from([-4.0, 9999.0, 70.0, 0.0, 1.0, 1e300]))
COLUMNS = st.one_of(
    st.lists(NUMBERS, min_size=3, max_size=3),
    st.lists(CELLS.map(lambda text: text.replace("\0", "")), min_size=3, max_size=3),
    st.lists(st.dates(datetime.date(1900, 1, 1)), min_size=3, max_size=3),
)
WRITERS: dict[str, Callable[..., object]] = {
    ".sav": pyreadstat.write_sav,
    ".zsav": lambda frame, path, **said: pyreadstat.write_sav(frame, path, compress=True, **said),
    ".dta": pyreadstat.write_dta,
}


@nasty
@given(
    suffix=st.sampled_from(list(WRITERS)),
    columns=st.dictionaries(
        st.sampled_from(["age_bl", "mmse", "hippocampus", "visit_date", "dx", "months", "own"]),
        COLUMNS,
        max_size=4,
    ),
    labels=st.dictionaries(st.sampled_from([1.0, 0.0, -4.0]), st.text(min_size=1, max_size=3)),
)
@example(suffix=".sav", columns={"age_bl": [0.0, 0.0, 1.8e306]}, labels={})
def test_file_of_a_statistics_program_of_any_columns(
    suffix: str, columns: dict[str, list[Any]], labels: dict[float, str], tmp_path: Path
) -> None:
    people = {"participant_id": ["a", "b", "c"], "sex": [1.0, 0.0, 1.0], "age": [70.0, 71, 72]}
    frame = pd.DataFrame({**people, **columns})
    try:
        WRITERS[suffix](frame, str(tmp_path / f"t{suffix}"), variable_value_labels={"sex": labels})
    except Exception:  # what cannot be written cannot be met; the writer's kinds are many
        return
    load_or_refuse(tmp_path / f"t{suffix}")


def write_whole() -> dict[str, bytes]:
    frame = pd.DataFrame(
        {"participant_id": ["a", "b"], "sex": ["F", "M"], "age": [70.0, 71], "dx": ["CN", "AD"]}
    )
    book, whole = io.BytesIO(), {}
    frame.to_excel(book, index=False)
    whole[".xlsx"] = book.getvalue()
    with TemporaryDirectory() as folder:
        for suffix, write in (*WRITERS.items(), (".xpt", pyreadstat.write_xport)):
            path = Path(folder) / f"t{suffix}"
            write(frame.rename(columns={"participant_id": "id"}), str(path))
            whole[suffix] = path.read_bytes()
        frame.to_parquet(Path(folder) / "t.parquet")
        whole[".parquet"] = (Path(folder) / "t.parquet").read_bytes()
    return whole


WHOLE = write_whole()


@nasty
@given(
    suffix=st.sampled_from(list(WHOLE)),
    places=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=4),
    kept=st.one_of(st.just(1.0), st.floats(0, 1)),
)
def test_damaged_file(
    suffix: str,
    places: list[tuple[float, int]],
    kept: float,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    content = bytearray(WHOLE[suffix])
    for place, byte in places:
        content[min(int(place * len(content)), len(content) - 1)] = byte
    path = tmp_path_factory.getbasetemp() / f"damaged{suffix}"
    path.write_bytes(content[: round(kept * len(content))])
    load_or_refuse(path)
