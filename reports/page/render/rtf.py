"""The tables of a page as RTF (Rich Text Format 1.9.1), which every word processor reads."""

from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Final

from reports.page.content import Page, Table
from reports.page.render.outputs import (
    join_lines,
    list_answer,
    list_outputs,
    list_texts,
    share_width,
)

# A4 upright in twips (1/1440 inch), margins of 2 cm
_WIDTH: Final = 9638
_HEAD: Final = (
    r"{\rtf1\ansi\ansicpg1252\deff0\uc1{\fonttbl{\f0\fswiss Arial;}}"
    r"\paperw11906\paperh16838\margl1134\margr1134\margt1134\margb1134\f0\fs18"
    "\n"
    r"{\footer\pard\qr\fs14 {\field{\*\fldinst PAGE}}\par}"
)
_RULES: Final = (r"\clbrdrt\brdrs\brdrw10 ", r"\clbrdrb\brdrs\brdrw10 ")


def render_rtf(page: Page) -> str:
    """Return the answer and every table of `page` as RTF, in ASCII; other signs are escaped."""
    title = rf"{{\info{{\title {escape(page.title)}}}}}"
    parts = [_HEAD + title, _line(page.title, r"\b\fs30")]
    parts += [_line(sentence) for sentence in list_answer(page)]
    for output in list_outputs(page):
        parts.append(_line(output.title, r"\b\keepn\sb240"))
        parts += _render_rows(output.table)
        for place, note in enumerate(output.footnotes):
            parts.append(_line(note, r"\fs15" if place else r"\fs15\sb60"))
    for text in list_texts(page):
        parts.append(_line(text.title, r"\b\keepn\sb240"))
        parts += [_line(line) for line in text.lines]
    return "\n".join([*parts, "}"])


def escape(text: str) -> str:
    r"""Return `text` as RTF: control signs dropped, everything beyond ASCII by its code.

    Examples
    --------
    >>> print(escape("{a} 5 ± 1"))
    \{a\} 5 \u177? 1
    """
    return "".join(_escape_sign(sign) for sign in join_lines(text))


def _escape_sign(sign: str) -> str:
    if sign in "\\{}":
        return f"\\{sign}"
    if " " <= sign <= "~":
        return sign
    # RTF counts in 16 bits with a sign; signs beyond them are pairs
    units = sign.encode("utf-16-le")
    codes = (int.from_bytes(units[at : at + 2], "little", signed=True) for at in (0, 2))
    printable = sign.isprintable() or sign == "\u00a0"
    return "".join(f"\\u{code}?" for code in list(codes)[: len(units) // 2]) if printable else ""


def _line(text: str, style: str = "") -> str:
    return rf"{{\pard\sa80{style} {escape(text)}\par}}"


def _render_rows(table: Table) -> Iterator[str]:
    edges = [round(_WIDTH * edge) for edge in accumulate(share_width(table))]
    aligned = [r"\qr" if column.is_number else r"\ql" for column in table.columns]
    heads = [column.title for column in table.columns]
    yield _row(heads, edges, aligned, r"\trhdr", "".join(_RULES), r"\b")
    for place, row in enumerate(table.rows):
        rule = _RULES[1] if place == len(table.rows) - 1 else ""
        yield _row([cell.text for cell in row], edges, aligned, "", rule)


def _row(
    texts: Iterable[str],
    edges: list[int],
    aligned: list[str],
    kind: str,
    rule: str,
    style: str = "",
) -> str:
    places = "".join(rf"{rule}\cellx{edge}" for edge in edges)
    cells = "".join(
        rf"\pard\intbl{side}\fs15{style} {escape(text)}\cell" + (r"\b0" if style else "")
        for text, side in zip(texts, aligned, strict=True)
    )
    return rf"\trowd\trgaph60\trkeep{kind}{places}{cells}\row"
