"""A page as one HTML file that needs nothing else."""

import base64
import hashlib
import re
from functools import cache
from importlib.resources import files
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from reports.figures.export import html_id, render_svg
from reports.page.content import Block, Listing, Page, Paragraph, Picture, RunReference, Table

_TEMPLATES: Final = "templates"
_CODE: Final = re.compile(r"`([^`]+)`")


def render_html(page: Page) -> str:
    """Return `page` as HTML; every value from the data is escaped, nothing is loaded from outside.

    The content security policy of the page forbids requests and every script but its own.
    """
    script, style = _read("page.js"), _read("page.css")
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            page=page,
            # text of this package, not of the data
            script=Markup(script),  # noqa: S704
            style=Markup(style),  # noqa: S704
            script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        )
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("reports.page", _TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["kind"] = block_kind
    environment.filters["anchor"] = html_id
    environment.filters["code"] = mark_code
    environment.filters["svg"] = _svg
    environment.filters["run_anchor"] = run_anchor
    return environment


def block_kind(block: Block) -> str:
    """Return what a block is, for templates: `paragraph`, `table`, `picture`, `listing`."""
    kinds = {Paragraph: "paragraph", Table: "table", Picture: "picture", Listing: "listing"}
    return kinds[type(block)]


def mark_code(text: str) -> Markup:
    """Return `text` escaped, with what stands between backticks as code."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704


def run_anchor(run: RunReference) -> str:
    """Return the id of a run's entry at the end of the page."""
    return html_id(f"run {run.run_id}")


def _svg(picture: Picture) -> Markup:
    # matplotlib writes text as paths and escapes its attributes
    return Markup(render_svg(picture.figure, prefix=picture.name))  # noqa: S704


def _read(name: str) -> str:
    return files("reports.page").joinpath(_TEMPLATES, name).read_text(encoding="utf-8")
