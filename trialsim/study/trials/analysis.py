"""The analysis of a finished trial, kept in its study file."""

import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reports.store.study import Study
from trialsim.finished.analysis import TrialAnalysis, analyze
from trialsim.finished.reading import read_trial
from trialsim.finished.twin_table import add_twins
from trialsim.study.trials.frozen_twins import (
    OUTCOMES,
    FrozenTwins,
    hash_outcomes,
    read_frozen_twins,
)


def analyze_in_study(
    trial: Path,
    study: Path,
    *,
    twins: Path | None = None,
    accept_late_twins: bool = False,
    primary: str | None = None,
    alpha: float = 0.05,
    seed: int = 1,
    reading: Mapping[str, Any],
) -> tuple[TrialAnalysis, Sequence[str]]:
    """Return what a trial says, and sentences on how; everything is written to the study.

    Parameters
    ----------
    trial
        The trial's table.
    study
        A study file, made if there is none.
    twins
        A table of twins; those frozen in the study when None, if it has any.
    accept_late_twins
        Whether the study's twins may have been made after outcomes were known.
    primary, alpha, seed
        As in `trialsim.finished.analyze`.
    reading
        Further arguments of `trialsim.finished.read_trial`.

    Raises
    ------
    DesignError
        What the trial's table, its twins or its analysis refuse; late twins.
    ReportError
        If the study cannot be written.
    """
    read = read_trial(trial, **reading)
    with Study.open(study) as opened:
        frozen = _find_twins(opened, twins, accept_late_twins)
        if twins is not None:
            read = add_twins(read, twins)
        elif frozen is not None:
            read = add_twins(read, frozen.table)
        analysis = analyze(read, primary=primary, alpha=alpha, seed=seed)
        said = _tell(analysis, frozen, twins)
        config: dict[str, Any] = {
            **reading,
            "kind": "finished trial",
            "primary": analysis.primary.estimator,
            "alpha": alpha,
            "endpoint": read.endpoint,
            "unit": read.unit,
            "visits_months": read.months.tolist(),
            OUTCOMES: hash_outcomes(trial),
            "twins_run": None if frozen is None else frozen.run_id,
            "twins_model": None if frozen is None else frozen.model,
            "notes": said,
        }
        command = shlex.join(["trialsim", *sys.argv[1:]])
        files = [trial, *([twins] if twins is not None else [])]
        with opened.run(command=command, config=config, seed=seed, inputs=files) as run:
            for name, table in analysis.tables.items():
                run.write(name, table)
    return analysis, said


def _find_twins(study: Study, twins: Path | None, accept_late: bool) -> FrozenTwins | None:
    if twins is not None or not study.has("twins"):
        return None
    return read_frozen_twins(study, accept_late=accept_late)


def _tell(analysis: TrialAnalysis, frozen: FrozenTwins | None, twins: Path | None) -> list[str]:
    said = [*analysis.trial.notes, *analysis.left_out]
    if frozen is not None:
        said.append(frozen.sentence)
    if twins is not None:
        said.append(
            f"The twins of {twins.name} were not frozen in the study: nothing shows when they were "
            "made."
        )
    return said
