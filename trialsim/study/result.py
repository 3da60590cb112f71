"""What a study found: its answer, tables, figures and report."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from cohorts.entrances import entrance
from reports.errors import ReportError
from reports.page.content import Answer, Page
from reports.page.file_formats import ReportFormat
from reports.page.gather import gather_study, holds_synthetic
from reports.page.privacy import Privacy
from reports.store.study import Study
from trialsim.study.protocol import Protocol, build_protocol
from trialsim.study.question import nest, read_recorded

if TYPE_CHECKING:
    import matplotlib.figure


@entrance
@dataclass(frozen=True)
class StudyResult:
    """A study file, read.

    Attributes
    ----------
    path
        The study file.
    """

    path: Path

    @property
    def report_path(self) -> Path:
        """Where the whole job writes its report."""
        return self.path.with_name("report.html")

    @cached_property
    def study(self) -> Study:
        """The study file, open for reading."""
        return Study.open(self.path, read_only=True)

    @cached_property
    def answer_in_parts(self) -> Answer:
        """The answer with its details and key numbers."""
        from reports.page.answer import describe_answer

        return describe_answer(gather_study(self.study))

    @property
    def answer(self) -> str:
        """What the study says, in sentences."""
        found = self.answer_in_parts
        return " ".join([found.headline, *found.details])

    @property
    def protocol(self) -> Protocol:
        """What was asked of the study, with absolute paths."""
        return build_protocol(nest(read_recorded(self.path)), name=str(self.path))

    @property
    def tables(self) -> list[str]:
        """The names of the tables that the study holds."""
        return list(self.study.writers())

    @property
    def is_synthetic(self) -> bool:
        """Whether any person in the study is simulated."""
        return holds_synthetic(self.study)

    def table(self, name: str) -> pd.DataFrame:
        """Return a table of the study, with the columns of `cohorts.schema`.

        Raises
        ------
        ReportError
            Where the study does not hold it.
        """
        return self.study.read(name)

    def notes(self, table: str) -> list[str]:
        """Return what was noted while a table was made."""
        runs = self.study.runs().set_index("run_id")
        config = json.loads(str(runs.loc[self.study.writers()[table], "config"]))
        return list(config.get("notes") or ())

    def plot(self, name: str) -> "matplotlib.figure.Figure":
        """Return a figure of the page, by its name: `power_curves`, `cost_by_fraction`.

        Raises
        ------
        ReportError
            Where the study has no such figure; the sentence lists those that it has.
        """
        pictures = {one.name.replace("-", "_"): one.figure for one in self._page.pictures}
        if name not in pictures:
            raise ReportError(
                f"The study {self.path} has no figure {name!r}; it has "
                f"{', '.join(pictures) or 'none yet'}."
            )
        return pictures[name]

    @cached_property
    def _page(self) -> Page:
        # figures are drawn where one is asked for; their libraries take half a second to load
        from reports.page.compose import compose_page

        return compose_page(gather_study(self.study), moment=datetime.now(UTC))

    def _repr_html_(self) -> str:
        """Return the answer and what the study holds, for notebooks."""
        rows = "".join(f"<li>{escape(name)}</li>" for name in self.tables)
        found = self.answer_in_parts
        mark = "<p><strong>SYNTHETIC people.</strong></p>" if self.is_synthetic else ""
        caution = f"<p>Caution: {escape(found.caution)}</p>" if found.caution else ""
        details = "".join(f"<li>{escape(sentence)}</li>" for sentence in found.details)
        return (
            f"<div>{mark}{caution}<p><strong>{escape(found.result)}</strong></p>"
            f"<ul>{details}</ul><details><summary>{escape(str(self.path))}"
            f"</summary><ul>{rows}</ul></details></div>"
        )

    def report(
        self,
        path: str | Path,
        *,
        report_format: ReportFormat | None = None,
        title: str | None = None,
        n_listed: int = 0,
        figures: Path | None = None,
        privacy: Privacy | None = None,
    ) -> list[Path]:
        """Write the page of the study; see `reports.page.writing.write_report`.

        Returns
        -------
        list of pathlib.Path
            The files written, the report first.
        """
        from reports.page.writing import write_report
        from trialsim.analytic.anchors import check_anchors

        return write_report(
            self.study,
            Path(path),
            report_format=report_format or ReportFormat.of(Path(path)),
            title=title,
            anchors=check_anchors(),
            n_listed=n_listed,
            figures=figures,
            privacy=privacy or Privacy(),
        )
