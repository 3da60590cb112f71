"""The analysis of a finished trial, kept in its study file where there is one."""

import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from cohorts.files.folder import is_cohort_folder, read_description
from cohorts.files.table_files import write_table
from reports.store.study import Study
from trialsim.errors import DesignError
from trialsim.finished.analysis import TrialAnalysis, analyze
from trialsim.finished.checks import compare_baseline, count_missing
from trialsim.finished.reading import read_trial
from trialsim.finished.twin_table import add_twins
from trialsim.study.trials.frozen_twins import (
    OUTCOMES,
    FrozenTwins,
    hash_outcomes,
    read_frozen_twins,
)
from trialsim.study.trials.observed_scans import bring_observed_scans


def analyze_trial(
    trial: Path,
    study: Path | None = None,
    *,
    twins: Path | None = None,
    accept_late_twins: bool = False,
    primary: str | None = None,
    alpha: float = 0.05,
    seed: int = 1,
    reading: Mapping[str, Any],
    output: Path | None = None,
    scans: Path | None = None,
    model: str = "mini",
) -> tuple[TrialAnalysis, Sequence[str]]:
    """Return what a trial says, and sentences on how.

    Parameters
    ----------
    trial
        The trial's table.
    study
        A study file, made if there is none, to which everything is written; none when None.
    twins
        A table of twins; those frozen in the study when None, if it has any.
    accept_late_twins
        Whether the study's twins may have been made after outcomes were known.
    primary, alpha, seed
        As in `trialsim.finished.analyze`.
    reading
        Further arguments of `trialsim.finished.read_trial`.
    output
        Where every table is written as CSV; nowhere when None.
    scans, model
        Cohort with follow-up scans, of which one of each arm is kept beside its predicted scan, and
        the model that predicted.

    Raises
    ------
    DesignError
        Scans without a study; what the trial's table, its twins or its analysis refuse; late twins.
    ReportError
        If the study cannot be written.
    """
    asked: dict[str, Any] = {"primary": primary, "alpha": alpha, "seed": seed}
    if scans is not None and study is None:
        raise DesignError(
            "Observed scans stand beside those that a study predicted: name it with --study."
        )
    if study is None:
        analysis = analyze(trial, twins=twins, **asked, **reading)
        said = [*analysis.trial.notes, *analysis.left_out]
    else:
        frozen = _find_twins(study, twins, accept_late_twins)
        analysis = _analyze_with(trial, twins, frozen, asked, reading)
        said = _tell(analysis, frozen, twins)
        # a study is made once there is something to keep in it
        with Study.for_a_run(study) as opened:
            config = _describe(trial, analysis, frozen, asked, reading) | {"notes": said}
            files = [trial] if twins is None else [trial, twins]
            _keep(opened, analysis, config, seed=seed, files=files)
            if scans is not None:
                _keep_observed_scans(opened, analysis, scans, model)
    if output is not None:
        for name, table in analysis.tables.items():
            write_table(table, output / f"{name}.csv")
    # a report of the study says so itself
    mark = ["SYNTHETIC trial: no number here describes real patients."]
    return analysis, [*(mark if _is_synthetic(trial) else []), *said]


def check_trial(
    trial: Path, twins: Path | None, reading: Mapping[str, Any]
) -> dict[str, pd.DataFrame]:
    """Return by name what is missing at each visit, and how the arms agree at baseline.

    Parameters
    ----------
    trial, twins, reading
        As in `analyze_trial`; the table may be blinded.

    Raises
    ------
    DesignError
        What the trial's table or its twins refuse.
    """
    read = read_trial(trial, **reading)
    read = read if twins is None else add_twins(read, twins)
    return {"missing": count_missing(read), "baseline": compare_baseline(read)}


def _analyze_with(
    trial: Path,
    twins: Path | None,
    frozen: FrozenTwins | None,
    asked: Mapping[str, Any],
    reading: Mapping[str, Any],
) -> TrialAnalysis:
    read = read_trial(trial, **reading)
    if twins is not None:
        read = add_twins(read, twins)
    elif frozen is not None:
        read = add_twins(read, frozen.table)
    return analyze(read, **asked)


def _describe(
    trial: Path,
    analysis: TrialAnalysis,
    frozen: FrozenTwins | None,
    asked: Mapping[str, Any],
    reading: Mapping[str, Any],
) -> dict[str, Any]:
    """Return what is recorded of an analysis."""
    return {
        **reading,
        "kind": "finished trial",
        "primary": analysis.primary.estimator,
        "alpha": asked["alpha"],
        "endpoint": analysis.trial.endpoint,
        "unit": analysis.trial.unit,
        "visits_months": analysis.trial.months.tolist(),
        OUTCOMES: hash_outcomes(trial),
        "twins_run": None if frozen is None else frozen.run_id,
        "twins_model": None if frozen is None else frozen.model,
        "is_synthetic": _is_synthetic(trial),
    }


def _keep(
    study: Study, analysis: TrialAnalysis, config: dict[str, Any], *, seed: int, files: list[Path]
) -> None:
    command = shlex.join(["trialsim", *sys.argv[1:]])
    with study.run(command=command, config=config, seed=seed, inputs=files) as run:
        for name, table in analysis.tables.items():
            run.write(name, table)


def _is_synthetic(trial: Path) -> bool:
    """Say whether the table lies in the folder of people that `cohort synthesize` made."""
    folder = trial.absolute().parent
    return is_cohort_folder(folder) and bool(read_description(folder)["is_synthetic"])


def _keep_observed_scans(study: Study, analysis: TrialAnalysis, scans: Path, model: str) -> None:
    if "twin_outcomes" not in analysis.tables:
        raise DesignError(
            "Observed scans stand beside twins, and this trial was analyzed without: give them "
            "(--twins), or freeze them in the study (`trialsim twins`)."
        )
    found = bring_observed_scans(study, analysis.tables["twin_outcomes"], scans, model=model)
    command = shlex.join(["trialsim", *sys.argv[1:]])
    config = {"kind": "observed scans", "model": model}
    with study.run(command=command, config=config, seed=0) as run:
        run.write("observed_images", found)


def _find_twins(study: Path, twins: Path | None, accept_late: bool) -> FrozenTwins | None:
    if twins is not None or not study.exists():
        return None
    with Study.open(study, read_only=True) as opened:
        return read_frozen_twins(opened, accept_late=accept_late) if opened.has("twins") else None


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
