"""The answer of a study computed again in R, from its tables."""

from importlib.resources import files
from pathlib import Path

import pandas as pd

from cohorts.files.atomic import write_folder
from cohorts.files.table_files import write_table
from trialsim.design import TrialDesign
from trialsim.errors import DesignError
from trialsim.simulation.effects import compute_course, compute_pseudo_atrophy
from trialsim.study.result import StudyResult


def write_r_script(result: StudyResult, folder: Path) -> list[Path]:
    """Write `answer.R` and the tables that it reads.

    It computes every closed form of the study again in base R, compares, and fits one simulated
    trial with nlme; it ends with an error where a size differs by more than 1e-4.

    Parameters
    ----------
    result
        A study with simulated trials.
    folder
        A new folder, or one that may be replaced.

    Returns
    -------
    list of pathlib.Path
        The files written, the script first.

    Raises
    ------
    DesignError
        Where the study holds no closed form to compute again.
    """
    missing = [name for name in ("sample_sizes", "pool_moments") if name not in result.tables]
    if missing:
        raise DesignError(
            f"The study {result.path} holds no {' and no '.join(missing)}: `trialsim power` makes "
            "what the R script computes again."
        )
    sizes, design = result.table("sample_sizes"), result.protocol.design
    if sizes["closed_form_n_control"].isna().all():
        raise DesignError("No formula answers this design, so that R has nothing to compute again.")
    if design.relative_to != "all decline" and design.normal_change_per_year is None:
        raise DesignError(
            "The change of normal ageing was estimated in the cohort; state normal_change_per_year "
            "for R to take it off."
        )
    script = files("trialsim.study.writing").joinpath("answer.R").read_text(encoding="utf-8")
    tables = {
        "pool_moments.csv": result.table("pool_moments"),
        "sample_sizes.csv": sizes,
        "design.csv": _tabulate(design),
    }
    with write_folder(folder) as partial:
        (partial / "answer.R").write_text(script, encoding="utf-8")
        for name, table in tables.items():
            write_table(table, partial / name)
    return [folder / "answer.R", *(folder / name for name in tables)]


def _tabulate(design: TrialDesign) -> pd.DataFrame:
    """Return the design's numbers, those of a list separated by spaces."""
    normal = 0.0 if design.relative_to == "all decline" else design.normal_change_per_year or 0.0
    values = {
        "visits_months": design.visits_months,
        "alpha": design.alpha,
        "sides": design.sides,
        "target_power": design.target_power,
        "allocation_ratio": design.allocation_ratio,
        "slowing": design.slowing,
        "normal_change_per_year": normal,
        "retention_control": tuple(map(float, design.compute_retention(0))),
        "retention_treatment": tuple(map(float, design.compute_retention(1))),
        "course": tuple(map(float, compute_course(design))),
        "pseudo_atrophy": tuple(map(float, compute_pseudo_atrophy(design))),
        "common_baseline": int(design.common_baseline),
    }
    shown = [
        " ".join(map(repr, value)) if isinstance(value, tuple) else repr(value)
        for value in values.values()
    ]
    return pd.DataFrame({"name": list(values), "value": shown})
