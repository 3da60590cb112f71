"""Everything that is told of a finished trial, as tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict, Unpack

import numpy as np
import pandas as pd

from cohorts.entrances import Names, entrance
from trialsim.errors import DesignError
from trialsim.finished.checks import compare_baseline, count_missing
from trialsim.finished.conformal import estimate_individual_effects
from trialsim.finished.effects import EffectEstimate, estimate_effects, tabulate_effects
from trialsim.finished.heterogeneity import estimate_heterogeneity
from trialsim.finished.missing_data import compare_assumptions, leave_each_person_out
from trialsim.finished.reading import read_trial
from trialsim.finished.trial import FinishedTrial
from trialsim.finished.twin_gain import estimate_twin_gain
from trialsim.finished.twin_table import add_twins
from trialsim.imputation.jackknife import Jackknife
from trialsim.imputation.tipping_point import find_tipping_point


class TrialReading(TypedDict, total=False):
    """How a trial's table is read, as `trialsim.finished.read_trial` takes it."""

    endpoint: str
    unit: str
    covariates: Names | None
    control: str | None
    visits_months: Sequence[float] | None


@entrance
@dataclass(frozen=True)
class TrialAnalysis:
    """What a trial says.

    Attributes
    ----------
    trial
        As it was read.
    effects
        By every estimator, the primary first.
    tables
        Name in `cohorts.schema.TABLES` -> table: `trial_effects`, `trial_visits`, `trial_baseline`,
        `trial_assumptions`, `trial_tipping_point`, `trial_findings`, `twin_outcomes`,
        `individual_effects`, `effects_by_decline`; those that need twins only with twins.
    left_out
        Sentences on what could not be told, and why.
    """

    trial: FinishedTrial
    effects: list[EffectEstimate]
    tables: Mapping[str, pd.DataFrame]
    left_out: tuple[str, ...] = ()

    @property
    def primary(self) -> EffectEstimate:
        """The pre-specified analysis."""
        return self.effects[0]


@entrance
def analyze(
    trial: FinishedTrial | pd.DataFrame | Path | str,
    *,
    twins: pd.DataFrame | Path | str | None = None,
    primary: str | None = None,
    alpha: float = 0.05,
    n_imputations: int = 200,
    seed: int = 1,
    **reading: Unpack[TrialReading],
) -> TrialAnalysis:
    """Return what the treatment did in a trial.

    Parameters
    ----------
    trial
        The trial, or its table: see `trialsim.finished.read_trial`.
    twins
        Predicted untreated outcomes: see `trialsim.finished.add_twins`.
    primary
        The pre-specified estimator: see `trialsim.finished.estimate_effects`.
    alpha
        Two-sided; intervals cover 1 - alpha.
    n_imputations
        Of Rubin's rules.
    seed
        Of the imputations.
    **reading
        Further arguments of `read_trial`, where a table is given.

    Returns
    -------
    TrialAnalysis
        The effects, the pre-specified one first, with everything that they hang on as tables.

    Raises
    ------
    DesignError
        The table or the twins have problems, the arms are blinded, too few people are left.
    CohortError
        If a file cannot be read.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> start = rng.normal(3500, 300, 60)
    >>> arms = np.repeat(["control", "treatment"], 30)
    >>> end = start - 150 + 60 * (arms == "treatment") + rng.normal(0, 30, 60)
    >>> table = pd.DataFrame({
    ...     "participant_id": np.tile([f"p{k}" for k in range(60)], 2),
    ...     "arm": np.tile(arms, 2),
    ...     "months": np.repeat([0, 24], 60),
    ...     "hippocampus_mm3": np.concatenate([start, end]),
    ... })
    >>> found = analyze(table, n_imputations=20)
    >>> found.primary.estimator
    'ancova'
    """
    if not isinstance(trial, FinishedTrial):
        trial = read_trial(_locate(trial), **reading)
    if twins is not None:
        trial = add_twins(trial, _locate(twins))
    effects = estimate_effects(trial, primary=primary, alpha=alpha)
    rng = np.random.default_rng(seed)
    without = leave_each_person_out(trial)
    found = _Findings(trial, alpha, without, left_out=_tell_failed(effects))
    tables = {
        "trial_effects": tabulate_effects(effects),
        "trial_visits": count_missing(trial),
        "trial_baseline": compare_baseline(trial),
        "trial_assumptions": compare_assumptions(
            trial, without, rng=rng, n_imputations=n_imputations, alpha=alpha
        ),
    }
    tables |= found.collect()
    return TrialAnalysis(trial, effects, tables, tuple(found.left_out))


def _tell_failed(effects: list[EffectEstimate]) -> list[str]:
    return [
        f"{effect.estimator} could not be fitted to this trial: its predictors are too many for "
        "the people of an arm, or say the same twice there."
        for effect in effects
        if np.isnan(effect.estimate)
    ]


def _locate(table: pd.DataFrame | Path | str) -> pd.DataFrame | Path:
    return Path(table) if isinstance(table, str) else table


@dataclass
class _Findings:
    """What may be left out, with the reason."""

    trial: FinishedTrial
    alpha: float
    without: Mapping[str, Jackknife]
    rows: list[dict[str, object]] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def collect(self) -> dict[str, pd.DataFrame]:
        """Return the tables that the trial has the data for."""
        tables = self._add_tipping_point()
        if self.trial.twins is not None:
            tables["twin_outcomes"] = _tabulate_twins(self.trial)
            tables |= self._add_gain() | self._add_individuals() | self._add_heterogeneity()
        columns = ["finding", "value", "lower", "upper", "p_value"]
        return {**tables, "trial_findings": pd.DataFrame(self.rows, columns=columns)}

    def _note(self, finding: str, value: float, lower: float, upper: float, p: float) -> None:
        row = {"finding": finding, "value": value, "lower": lower, "upper": upper, "p_value": p}
        self.rows.append(row)

    def _add_tipping_point(self) -> dict[str, pd.DataFrame]:
        try:
            found = find_tipping_point(self.without["missing_at_random"], alpha=self.alpha)
        except DesignError as error:
            self.left_out += error.problems
            return {}
        self._note("tipping_point", found.delta, np.nan, np.nan, np.nan)
        return {"trial_tipping_point": found.curve}

    def _add_gain(self) -> dict[str, pd.DataFrame]:
        gain = estimate_twin_gain(self.trial, alpha=self.alpha)
        self._note("twin_gain", gain.gain, gain.gain_lower, gain.gain_upper, np.nan)
        self._note(
            "twin_partial_correlation",
            gain.partial_correlation,
            gain.correlation_lower,
            gain.correlation_upper,
            np.nan,
        )
        return {}

    def _add_individuals(self) -> dict[str, pd.DataFrame]:
        try:
            table = estimate_individual_effects(self.trial, coverage=1 - self.alpha)
        except DesignError as error:
            self.left_out += error.problems
            return {}
        return {"individual_effects": table}

    def _add_heterogeneity(self) -> dict[str, pd.DataFrame]:
        try:
            found = estimate_heterogeneity(self.trial, alpha=self.alpha)
        except DesignError as error:
            self.left_out += error.problems
            return {}
        self._note(
            "effect_by_decline", found.slope, found.slope_lower, found.slope_upper, found.p_value
        )
        return {"effects_by_decline": found.by_decline}


def _tabulate_twins(trial: FinishedTrial) -> pd.DataFrame:
    """Return `participant_id`, `arm`, `months`, `observed`, `twin` after baseline."""
    assert trial.twins is not None  # noqa: S101 - asked only where there are twins
    n_later = len(trial.months) - 1
    return pd.DataFrame(
        {
            "participant_id": np.repeat(trial.participant_id, n_later),
            "arm": np.repeat(np.where(trial.arms == 1, "treatment", "control"), n_later),
            "months": np.tile(trial.months[1:], trial.size),
            "observed": trial.outcome[:, 1:].ravel(),
            "twin": trial.twins.predicted.ravel(),
        }
    )
