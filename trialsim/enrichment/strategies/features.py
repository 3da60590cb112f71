"""Baseline information as numbers."""

from collections.abc import Sequence

import pandas as pd

from cohorts.counting import tally
from cohorts.schema import CONTEXT_REGIONS, HEAD_SIZE
from cohorts.sources.columns import name_volume_column
from trialsim.enrichment.strategies.strategy import ScreeningTables

# A column that fewer have would cost more people than it is worth.
_MIN_COVERAGE = 0.9

GROWTH_PREDICTORS = ("age_years", "is_female", "is_mci", "is_ad", HEAD_SIZE)
"""Columns of `build_all_features` that a growth model of everyone takes into account."""

_EXTRA_COVARIATES = ("apoe4", "education_years", "mmse")

_GROUPS = ("diagnosis", "sex")


def list_features(tables: ScreeningTables, candidates: Sequence[str]) -> list[str]:
    """Return the candidates that at least 90 % of people have, in the training cohort too."""
    return [
        column
        for column in candidates
        if all(known >= _MIN_COVERAGE * n for known, n in _count_known(tables, column))
    ]


def describe_unread(tables: ScreeningTables, *, covariates: bool) -> list[str]:
    """Return a sentence for each volume or covariate that too few have for a model to read it.

    Nothing is said of what nobody has.

    Parameters
    ----------
    tables
        Screened people, and whom strategies are fitted on.
    covariates
        Whether APOE4, education and MMSE would be read.
    """
    candidates = [*_name_volumes(tables), *(_EXTRA_COVARIATES if covariates else ())]
    read = list_features(tables, candidates)
    sentences = []
    for column in candidates:
        counts = _count_known(tables, column)
        if column not in read and any(known for known, _ in counts):
            people = ("people screened", "people to fit on")
            have = " and ".join(
                f"{known:,} of the {n:,} {whose}"
                for (known, n), whose in zip(counts, people, strict=False)
            )
            sentences.append(
                f"No strategy that learns from outcomes reads {column}, which {have} have: "
                f"{_MIN_COVERAGE * 100:.0f} % of each are needed."
            )
    return sentences


def describe_unlearned(tables: ScreeningTables) -> list[str]:
    """Return a sentence for each group of people of whom nobody is there to fit strategies on.

    Parameters
    ----------
    tables
        Screened people, and whom strategies are fitted on; nothing is said where these are fitted
        on the screened themselves.
    """
    training, sentences = tables.training, []
    if training is None or training.outcome is None:
        return []
    learned_from = training.baseline.loc[training.outcome.dropna().index]
    for column in _GROUPS:
        if column not in tables.baseline or column not in learned_from:
            continue
        known = sorted({*learned_from[column].dropna().astype(str)})
        own = tables.baseline[column].dropna().astype(str).value_counts()
        for level, n_people in own[~own.index.isin(known)].items():
            sentences.append(
                f"{n_people:,} of the {tally(len(tables.baseline), 'people')} screened have "
                f"the {column} "
                f"{level}, and nobody has it whom strategies are fitted on "
                f"({', '.join(known) or 'none is known'}): their scores are an extrapolation."
            )
    return sentences


def _count_known(tables: ScreeningTables, column: str) -> list[tuple[int, int]]:
    """Return how many have a number, of how many: people screened, the training cohort."""
    cohorts = [tables] if tables.training is None else [tables, tables.training]
    return [
        (
            int(pd.to_numeric(cohort.baseline[column], errors="coerce").notna().sum())
            if column in cohort.baseline
            else 0,
            len(cohort.baseline),
        )
        for cohort in cohorts
    ]


def _name_volumes(tables: ScreeningTables) -> list[str]:
    regions = dict.fromkeys((tables.region, *CONTEXT_REGIONS, HEAD_SIZE))
    return [name_volume_column(region) for region in regions]


def list_volumes(tables: ScreeningTables) -> list[str]:
    """Return the endpoint's region, BrLP's context regions, head size, where they are measured."""
    return list_features(tables, _name_volumes(tables))


def list_known_covariates(tables: ScreeningTables) -> list[str]:
    """Return APOE4 alleles, education and MMSE, where they are known."""
    return list_features(tables, _EXTRA_COVARIATES)


def build_features(tables: ScreeningTables, columns: Sequence[str]) -> pd.DataFrame:
    """Return age, sex, diagnosis AT BASELINE and `columns` as numbers, one row a person.

    Parameters
    ----------
    tables
        Only their baseline table is read.
    columns
        Numeric columns of it.
    """
    baseline = tables.baseline
    features = {
        "age_years": baseline["age_years"],
        "is_female": baseline["sex"] == "F",
        "is_mci": baseline["diagnosis"] == "MCI",
        "is_ad": baseline["diagnosis"] == "AD",
    }
    features |= {name: pd.to_numeric(baseline[name], errors="coerce") for name in columns}
    return pd.DataFrame(features, index=tables.index).astype(float)


def build_all_features(tables: ScreeningTables) -> pd.DataFrame:
    """Return everything numeric that is known at baseline, without the endpoint's own region.

    Parameters
    ----------
    tables
        Only their baseline table is read.
    """
    own = name_volume_column(tables.region)
    columns = [name for name in list_volumes(tables) if name != own]
    return build_features(tables, columns + list_known_covariates(tables))
