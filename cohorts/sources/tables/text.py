"""Strict reading of text tables: every row has as many cells as the header, and none is lost.

CSV follows RFC 4180. TSV follows BIDS: a tab ends a cell and a quote is a letter, except around a
whole cell, where other programs write it.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.csv

from cohorts.errors import CohortError
from cohorts.sources.records import join_names

SEPARATORS: Final = {".csv": ",", ".tsv": "\t", ".txt": "\t"}
"""Ending of a text table -> what separates its cells."""

_MARKS: Final = {"\t": "tab", ";": "semicolon", "|": "bar", ",": "comma"}
_STATED_SEPARATOR: Final = re.compile(
    r'"?sep=([^\w\s"]|\t)"?[,;]*[ ]*(?:\r\n|\r|\n|$)', re.IGNORECASE
)

_INVISIBLE: Final = str.maketrans({"\u00a0": " ", "\u202f": " ", "\ufeff": None, "\u200b": None})

Row = tuple[int, list[str]]
"""The number of a row in its file, and its cells."""


def read_text_table(path: Path) -> pd.DataFrame:
    """Return a text table as text, each row under the number that it has in the file.

    Parameters
    ----------
    path
        A `.csv`, `.tsv` or `.txt` in UTF-8, with or without byte-order mark, with any line ends. A
        first line `sep=;`, as Excel writes and reads it, says what separates cells.

    Returns
    -------
    DataFrame
        Cells without surrounding space, indexed by the line that each row begins in (the header
        is in line 1). Rows without any cell filled are left out.

    Raises
    ------
    CohortError
        Where the file cannot be read, is not UTF-8, has no header, names a column twice or not
        at all; and for each row with another number of cells than the header.
    """
    text, separator, first = _read_separated(_load(path), path)
    plain = _split_plain(text, separator, first)
    if plain is not None:
        _check_separator(path, [*map(str, plain)], separator)
        return _name_columns(path, plain)
    by_tabs = separator == "\t"
    rows = list(_split_tabs(text, first) if by_tabs else _split_csv(text, path, separator, first))
    if rows:
        _check_separator(path, rows[0][1], separator)
    return build_text_table(path, rows)


def build_text_table(path: Path, rows: list[Row]) -> pd.DataFrame:
    """Return the table of a header and rows, each row under its number.

    Parameters
    ----------
    path
        Where they come from; named in errors.
    rows
        The number and the cells of each, without surrounding space.

    Raises
    ------
    CohortError
        Without rows, for a column that is named twice or not at all; and for each row with another
        number of cells than the header.
    """
    if not rows:
        raise CohortError(f"{path.name} is empty: a header and rows are expected.")
    (_, header), *body = rows
    header, body = _drop_empty_ends(header, body)
    _check_cells(path, header, body)
    cells = np.array([row for _, row in body], dtype=object).reshape(len(body), len(header))
    frame = pd.DataFrame(cells, index=[line for line, _ in body], columns=header, dtype=object)
    return _name_columns(path, frame)


def read_header(path: Path) -> list[str]:
    """Return the column names of a text table; empty where it has none."""
    # the first line may say what separates the names in the second
    text, separator, _ = _read_separated(_load(path, lines=2), path)
    _lift_limit(text)
    names = next(csv.reader(text.splitlines()[:1], delimiter=separator), [])
    return [name.strip() for name in names]


def _load(path: Path, *, lines: int | None = None) -> bytes:
    """Return a file's bytes, or those of its first lines."""
    try:
        with path.open("rb") as stream:
            return stream.read() if lines is None else b"".join(islice(stream, lines))
    except OSError as error:
        raise CohortError(f"{path.name} could not be read: {error.strerror}.") from error


def _read_separated(content: bytes, path: Path) -> tuple[str, str, int]:
    """Return a file's text, what separates its cells, and the number of its first line."""
    text = _decode(content, path).translate(_INVISIBLE)
    if stated := _STATED_SEPARATOR.match(text):
        return text[stated.end() :], stated[1], 2
    return text, SEPARATORS[path.suffix.lower()], 1


def _decode(content: bytes, path: Path) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise CohortError(
            f"{path.name} is not UTF-8 text (line {line}): save it as UTF-8."
        ) from error
    if "\0" in text:
        raise CohortError(f"{path.name} is not UTF-8 text, it holds zero bytes: save it as UTF-8.")
    return text


def _split_plain(text: str, separator: str, first: int) -> pd.DataFrame | None:
    """Return a table of a text without quotes, in which each line is a row, column by column.

    A list of cells for each row takes three times as long. None where the text has quotes or line
    ends of several kinds, where rows have not as many cells as the header, or where that ends in an
    empty name: what is wrong is told row by row.
    """
    text = text.replace("\r\n", "\n").rstrip("\n")
    header = [name.strip() for name in text.partition("\n")[0].split(separator)]
    if '"' in text or "\r" in text or not header[-1] or not separator.isascii():
        return None
    names = [str(place) for place in range(len(header))]
    try:
        table = pyarrow.csv.read_csv(
            pyarrow.py_buffer(text.encode()),
            read_options=pyarrow.csv.ReadOptions(column_names=names, use_threads=False),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=separator, quote_char=False, double_quote=False, ignore_empty_lines=False
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(names, pyarrow.large_string()), strings_can_be_null=False
            ),
        )
    except pyarrow.ArrowInvalid:
        return None
    lines, columns = np.arange(first + 1, first + table.num_rows), table.columns
    del table
    cells = np.empty((len(lines), len(header)), dtype=object)
    for place in reversed(range(len(header))):
        # each distinct text is one object, and a column is let go of once it is taken over
        coded = columns.pop().combine_chunks().dictionary_encode()
        kinds = np.array([kind.strip() for kind in coded.dictionary.to_pylist()], dtype=object)
        cells[:, place] = kinds[coded.indices.to_numpy()[1:]]
    is_filled = (cells != "").any(axis=1)
    if not is_filled.all():
        cells, lines = cells[is_filled], lines[is_filled]
    return pd.DataFrame(cells, lines, header, dtype=object, copy=False)


def _split_csv(text: str, path: Path, separator: str, first: int) -> Iterator[Row]:
    _lift_limit(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    line = first
    try:
        for cells in reader:
            stripped = [cell.strip() for cell in cells]
            if any(stripped):
                yield line, stripped
            line = reader.line_num + first
    except csv.Error as error:
        raise CohortError(
            f"{path.name} cannot be split into cells from line {line} on ({error}): a quote opens "
            f'a cell that must be closed before the next {_name(separator)}; write "" for a quote '
            "in a cell."
        ) from error


def _lift_limit(text: str) -> None:
    """Let a cell be as long as its text: without quotes it may be, too."""
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))


def _split_tabs(text: str, first: int) -> Iterator[Row]:
    for line, row in enumerate(io.StringIO(text, newline=None), start=first):
        if row.strip():
            yield line, [_unquote(cell.strip()) for cell in row.rstrip("\n").split("\t")]


def _unquote(cell: str) -> str:
    if len(cell) > 1 and cell[0] == cell[-1] == '"':
        return cell[1:-1].replace('""', '"').strip()
    return cell


def _check_separator(path: Path, header: list[str], separator: str) -> None:
    if len(header) == 1 and (marks := [mark for mark in _MARKS if mark in header[0]]):
        raise CohortError(
            f"{path.name} has one column, '{header[0][:60]}': its cells must be separated by "
            f"{_name(separator)}s, or a first line sep={marks[0]} must say by what."
        )


def _name(separator: str) -> str:
    return _MARKS.get(separator, f"'{separator}'")


def _drop_empty_ends(header: list[str], body: list[Row]) -> tuple[list[str], list[Row]]:
    """Leave out cells at the end of every row that are empty in all and have no name."""
    width = len(header)
    while width and not header[width - 1]:
        width -= 1
    widths = {len(row) for _, row in body}
    is_padded = len(widths) == 1 and widths.pop() > width
    if not is_padded or any(any(row[width:]) for _, row in body):
        return header, body
    return header[:width], [(line, row[:width]) for line, row in body]


def _check_cells(path: Path, header: list[str], body: list[Row]) -> None:
    wrong = [(line, len(row)) for line, row in body if len(row) != len(header)]
    if wrong:
        shown = join_names(f"row {line}: {count}" for line, count in wrong)
        raise CohortError(
            f"{path.name} has {len(wrong)} row{'s' if len(wrong) > 1 else ''} with another number "
            f"of cells than its header, which has {len(header)} ({', '.join(shown)}): each row "
            "must have as many."
        )


def _name_columns(path: Path, frame: pd.DataFrame) -> pd.DataFrame:
    counts = Counter(name for name in frame.columns if name)
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        raise CohortError(f"{path.name} names columns twice: {', '.join(join_names(twice))}.")
    unnamed = [i for i, name in enumerate(frame.columns) if not name]
    kept = [i for i in unnamed if not _numbers_rows(frame.iloc[:, i])]
    if kept:
        places = ", ".join(join_names(i + 1 for i in kept))
        raise CohortError(f"{path.name} has a column without a name (column {places}): name it.")
    return frame.iloc[:, [i for i in range(len(frame.columns)) if i not in set(unnamed)]]


def _numbers_rows(column: pd.Series) -> bool:
    """Return whether an unnamed column only counts rows, as pandas and R write it, or is empty."""
    cells = column.tolist()
    counts = [[str(i) for i in range(start, start + len(cells))] for start in (0, 1)]
    return not any(cells) or cells in counts
