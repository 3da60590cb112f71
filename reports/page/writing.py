"""A report on disk: the page in the format asked for, its figures as files."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from cohorts.files.atomic import write_file, write_folder
from reports.figures.export import write_figure
from reports.page.compose import compose_page
from reports.page.content import Page
from reports.page.file_formats import ReportFormat
from reports.page.gather import gather_study
from reports.page.privacy import NOBODY, Privacy
from reports.page.render.data import render_json
from reports.page.render.html import render_html
from reports.page.render.markdown import render_markdown
from reports.page.render.pdf import render_pdf
from reports.page.render.rtf import render_rtf
from reports.page.render.word import render_word
from reports.page.trial.compose import compose_trial_page
from reports.store.study import Study


def write_report(
    study: Study,
    path: Path,
    *,
    report_format: ReportFormat = ReportFormat.HTML,
    title: str | None = None,
    anchors: pd.DataFrame | None = None,
    n_listed: int = 0,
    figures: Path | None = None,
    privacy: Privacy = NOBODY,
) -> list[Path]:
    """Write the report of `study` to `path`; what was there before stays until the end.

    Parameters
    ----------
    study
        An open study; it is only read.
    path
        The file of the report.
    report_format
        HTML and PDF are one file; Markdown has its figures in a folder beside it.
    title
        By default the title of the protocol.
    anchors
        Reference values and whether they pass: `anchor`, `source`, `expected`, `computed`,
        `tolerance`, `passes`.
    n_listed
        How many of the selected people are named; by default none is.
    figures
        A folder for every figure as SVG and PNG with its data as CSV.
    privacy
        What may be told of single people; by default nobody is identified in any format.

    Returns
    -------
    list of pathlib.Path
        The files written, the report first.

    Raises
    ------
    ReportError
        If the study cannot be read, a folder cannot be written, the disk is full, or people are
        to be listed but not to be identified.
    """
    with study.snapshot():
        facts, moment = gather_study(study), datetime.now(UTC)
        if facts.has("trial_effects"):
            page = compose_trial_page(facts, moment=moment, title=title, privacy=privacy)
        else:
            page = compose_page(
                facts,
                moment=moment,
                title=title,
                anchors=anchors,
                n_listed=n_listed,
                privacy=privacy,
            )
    folder = figures
    if report_format is ReportFormat.MARKDOWN and folder is None:
        folder = path.parent / f"{path.stem}_figures"
    beside = os.path.relpath(Path(folder or ".").absolute(), path.absolute().parent)
    content = render_page(page, report_format, figures=Path(beside).as_posix())
    report = write_file(path, content)
    return [report, *(_write_figures(page, folder) if folder else [])]


def render_page(page: Page, report_format: ReportFormat, *, figures: str) -> bytes:
    """Return the file that a page makes in a format.

    Parameters
    ----------
    page
        The page.
    report_format
        The format.
    figures
        The folder with the figures of a Markdown page, relative to it.
    """
    match report_format:
        case ReportFormat.HTML:
            return render_html(page).encode()
        case ReportFormat.PDF:
            return render_pdf(page)
        case ReportFormat.MARKDOWN:
            return render_markdown(page, figures=figures).encode()
        case ReportFormat.JSON:
            return render_json(page).encode()
        case ReportFormat.RTF:
            return render_rtf(page).encode("ascii")
        case ReportFormat.WORD:
            return render_word(page)


def _write_figures(page: Page, folder: Path) -> list[Path]:
    with write_folder(folder) as partial:
        names = [
            path.name
            for picture in page.pictures
            for path in write_figure(picture.figure, partial, picture.name, picture.data)
        ]
    return [folder / name for name in names]
