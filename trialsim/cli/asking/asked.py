"""What a command was asked, and the study that answers it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from trialsim.study.result import StudyResult


@dataclass(frozen=True)
class Asked:
    """What a command was asked.

    Attributes
    ----------
    study
        The study file.
    stated
        Values by dotted key; None where an option was left out.
    settings
        Further `key=value`.
    as_json, quiet, output
        How to answer, and the folder for files.
    further
        Options of the command that are no keys.
    """

    study: Path
    stated: Mapping[str, Any]
    settings: tuple[str, ...]
    as_json: bool
    quiet: bool
    output: Path | None
    further: Mapping[str, Any]

    def answer(self, verb: str) -> "StudyResult":
        """Make the study as far as `verb` goes, and say first if its people are simulated."""
        from trialsim.cli.answering.printing import SYNTHETIC
        from trialsim.cli.answering.progress import show_progress
        from trialsim.study.making import answer

        with show_progress(quiet=self.quiet) as listener:
            found = answer(verb, self.study, self.stated, settings=self.settings, listener=listener)
        if found.is_synthetic:
            # JSON is for programs, which read nothing else on stdout
            typer.echo(SYNTHETIC, err=self.as_json)
        return found
