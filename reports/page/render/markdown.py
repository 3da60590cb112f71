"""A page as Markdown, with its figures as SVG files beside it."""

import re
from typing import Final

from reports.page.content import Block, Listing, Page, Paragraph, Picture, RunReference, Table

_SPECIAL: Final = re.compile(r"([\\`*_\[\]<>#|~!$&])")
# only the commands of this package; a backtick from the data is text
_CODE: Final = re.compile(r"(`trialsim [a-z ]+`)")


def render_markdown(page: Page, *, figures: str) -> str:
    """Return `page` as Markdown with GitHub's tables.

    Parameters
    ----------
    page
        The page.
    figures
        The folder of the SVG files, relative to the Markdown file.
    """
    parts = [f"# {_escape(page.title)}"]
    if page.is_synthetic:
        parts.append("**SYNTHETIC DATA.** Some or all of the people in this study are simulated.")
    parts += ["; ".join(f"{name}: {_escape(value)}" for name, value in page.facts), "## Answer"]
    if page.answer.caution:
        parts.append(f"> **Caution:** {_escape(page.answer.caution)}")
    parts += [f"**{_escape(page.answer.result)}**{_sources(page.answer.sources)}"]
    parts += [_escape(sentence) for sentence in page.answer.details]
    parts += [f"> **Note:** {_escape(note)}" for note in page.answer.notes]
    if page.answer.picture:
        parts.append(_render_block(page.answer.picture, figures))
    for section in page.sections:
        parts.append(f"## {section.number}. {_escape(section.title)}")
        parts += [_render_block(block, figures) for block in section.blocks]
    parts.append("## Runs")
    parts += [f"- {run.run_id}: `{_code(run.command)}`" for run in page.runs]
    return "\n\n".join(parts) + "\n"


def _render_block(block: Block, figures: str) -> str:
    match block:
        case Paragraph():
            mark = "> **Note:** " if block.is_warning else ""
            return f"{mark}{_escape(block.text)}{_sources(block.sources)}"
        case Table():
            return _render_table(block)
        case Picture():
            path = f"{figures}/{block.name}.svg".replace(" ", "%20")
            return (
                f"![{_escape(block.description)}]({path})\n\n"
                f"*{block.label}. {_escape(block.title)}*{_sources(block.sources)}"
            )
        case Listing():
            fence = "~~~~"
            body = "\n".join(line.replace(fence, "~ ~ ~ ~") for line in block.lines)
            return f"**{_escape(block.title)}**\n\n{fence}\n{body}\n{fence}"


def _render_table(table: Table) -> str:
    heads = [_escape(column.title) for column in table.columns]
    rules = ["---:" if column.is_number else "---" for column in table.columns]
    rows = [[_escape(cell.text) for cell in row] for row in table.rows]
    lines = [f"| {' | '.join(cells)} |" for cells in (heads, rules, *rows)]
    note = f"\n\n{_escape(table.note)}" if table.note else ""
    title = f"**{table.label}. {_escape(table.title)}**{_sources(table.sources)}"
    return f"{title}\n\n" + "\n".join(lines) + note


def _sources(runs: tuple[RunReference, ...]) -> str:
    return f" (run {', '.join(run.run_id for run in runs)})" if runs else ""


def _escape(text: str) -> str:
    pieces = _CODE.split(" ".join(text.split()))
    return "".join(
        piece if _CODE.fullmatch(piece) else _SPECIAL.sub(r"\\\1", piece) for piece in pieces
    )


def _code(text: str) -> str:
    return " ".join(text.replace("`", "'").split())
