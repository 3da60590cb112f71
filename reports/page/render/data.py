"""A page as plain data: what the JSON format holds, and what the templates of print read."""

import json
from typing import Any

from reports.page.content import Block, Listing, Page, Paragraph, Picture, RunReference, Table


def render_json(page: Page) -> str:
    """Return `page` as JSON: every sentence, table and listing; figures by caption."""
    return json.dumps(describe_page(page), indent=2, ensure_ascii=False) + "\n"


def describe_page(page: Page) -> dict[str, Any]:
    """Return the page as dictionaries, lists and text, in the order of reading."""
    answer = page.answer
    return {
        "title": page.title,
        "is_synthetic": page.is_synthetic,
        "written": page.written.isoformat(),
        "facts": [{"name": name, "value": value} for name, value in page.facts],
        "answer": {
            "headline": answer.headline,
            "caution": answer.caution,
            "result": answer.result,
            "details": list(answer.details),
            "numbers": [number._asdict() for number in answer.numbers],
            "notes": list(answer.notes),
            "picture": describe_block(answer.picture) if answer.picture else None,
            "runs": _name_runs(answer.sources),
        },
        "sections": [
            {
                "number": section.number,
                "title": section.title,
                "is_appendix": section.is_appendix,
                "blocks": [describe_block(block) for block in section.blocks],
            }
            for section in page.sections
        ],
        "runs": [
            {"run_id": run.run_id, "command": run.command, "seed": run.seed} for run in page.runs
        ],
    }


def describe_block(block: Block) -> dict[str, Any]:
    """Return one block of a page as data; `kind` says which it is."""
    match block:
        case Paragraph():
            found: dict[str, Any] = {
                "kind": "paragraph",
                "text": block.text,
                "is_warning": block.is_warning,
                "runs": _name_runs(block.sources),
            }
        case Table():
            found = {
                "kind": "table",
                "label": block.label,
                "title": block.title,
                "columns": [
                    {"title": column.title, "is_number": column.is_number}
                    for column in block.columns
                ],
                "rows": [[cell.text for cell in row] for row in block.rows],
                "note": block.note,
                "runs": _name_runs(block.sources),
            }
        case Picture():
            found = {
                "kind": "picture",
                "name": block.name,
                "label": block.label,
                "title": block.title,
                "description": block.description,
                "runs": _name_runs(block.sources),
            }
        case Listing():
            found = {"kind": "listing", "title": block.title, "lines": list(block.lines)}
    return found


def _name_runs(runs: tuple[RunReference, ...]) -> list[str]:
    return [run.run_id for run in runs]
