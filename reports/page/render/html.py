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
_OPTION: Final = re.compile(r"(?<![\w-])--[a-z][\w-]*")


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
    environment.filters["whole_options"] = keep_options_whole
    environment.filters["svg"] = _svg
    environment.filters["run_anchor"] = run_anchor
    return environment


def block_kind(block: Block) -> str:
    """Return what a block is, for templates: `paragraph`, `table`, `picture`, `listing`."""
    kinds = {Paragraph: "paragraph", Table: "table", Picture: "picture", Listing: "listing"}
    return kinds[type(block)]


def mark_code(text: str) -> Markup:
    """Return `text` escaped, with what stands between backticks as code."""
    return Markup(  # noqa: S704
        _CODE.sub(
            lambda found: f"<code>{keep_options_whole(Markup(found[1]))}</code>",  # noqa: S704
            str(escape(text)),
        )
    )


def keep_options_whole(text: str) -> Markup:
    """Return `text` escaped; an option is never broken over two lines, on a phone neither.

    >>> keep_options_whole("trialsim rank --fractions-enrolled 0.3")
    Markup('trialsim rank <span class="o">--fractions-enrolled</span> 0.3')
    """
    return Markup(_OPTION.sub(r'<span class="o">\g<0></span>', str(escape(text))))  # noqa: S704


def run_anchor(run: RunReference) -> str:
    """Return the id of a run's entry at the end of the page."""
    return html_id(f"run {run.run_id}")


def _svg(picture: Picture) -> Markup:
    # matplotlib writes text as paths and escapes its attributes
    return Markup(render_svg(picture.figure, prefix=picture.name))  # noqa: S704


def _read(name: str) -> str:
    return files("reports.page").joinpath(_TEMPLATES, name).read_text(encoding="utf-8")
