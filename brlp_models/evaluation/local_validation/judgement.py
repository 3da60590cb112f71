"""Whether a model may choose people at a site: criteria stated beforehand, judged once."""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import pandas as pd

from brlp_models.errors import ModelError
from brlp_models.evaluation.local_validation.plan import ValidationPlan, digest_content, load_plan
from brlp_models.evaluation.measures.ranking import compute_difference
from brlp_models.evaluation.methods import MODEL, REFERENCE
from brlp_models.evaluation.settings import EvaluationSettings
from brlp_models.evaluation.statistics import (
    Array,
    Estimate,
    compute_mean,
    compute_spearman,
    estimate,
    estimate_share,
)
from brlp_models.model.config import ModelConfig

Decision = Literal["use", "do not use", "too few people to tell"]

_FEWEST: Final = 10
_Z95: Final = 1.959963984540054
RECORD: Final = "local_validation.json"


@dataclass(frozen=True)
class Validation:
    """What a plan came to.

    Parameters
    ----------
    plan
        What was stated.
    criteria
        `criterion`, `low`, `high` (as stated), `value`, `lower`, `upper`, `n`, `verdict` (`met`
        where the 95 % interval lies within the limits, `not met` where it lies outside,
        `undecided` otherwise).
    decision
        `use` where all are met, `do not use` where any is not, otherwise `too few people to tell`.
    """

    plan: ValidationPlan
    criteria: pd.DataFrame
    decision: Decision


def judge(
    tables: Mapping[str, pd.DataFrame],
    plan: ValidationPlan,
    *,
    scanned: Collection[str],
    rng: np.random.Generator,
    n_bootstrap: int = 1000,
) -> Validation:
    """Judge an evaluation by a plan.

    Parameters
    ----------
    tables
        `predicted`, `failures`, and where later scans were read `floor`, of `evaluate_model`.
    plan
        Stated before.
    scanned
        Who has a baseline scan.
    rng, n_bootstrap
        Of the intervals, over people.
    """
    measured = _measure(tables, plan, scanned, rng, n_bootstrap)
    rows = [
        {
            "criterion": name,
            "low": low,
            "high": high,
            **vars(measured[name]),
            "verdict": _judge(measured[name], low, high),
        }
        for name, (low, high) in plan.limits.items()
    ]
    criteria = pd.DataFrame(rows)
    verdicts = set(criteria["verdict"])
    decision: Decision = (
        "do not use"
        if "not met" in verdicts
        else "too few people to tell"
        if "undecided" in verdicts
        else "use"
    )
    return Validation(plan, criteria, decision)


def describe_validation(found: Validation, **facts: str) -> dict[str, Any]:
    """Return JSON content of a validation, signed by the SHA-256 of all the rest.

    Parameters
    ----------
    found
        Of `judge`.
    **facts
        Of whom, what and how: the model, the cohort, its settings, the version, the day.
    """
    rows: list[dict[str, Any]] = json.loads(found.criteria.to_json(orient="records"))
    content = {
        "plan": found.plan.model_dump(mode="json"),
        "plan_sha256": found.plan.digest(),
        **facts,
        "criteria": rows,
        "decision": found.decision,
    }
    return {**content, "sha256": digest_content(content)}


def read_validation(path: Path) -> dict[str, Any]:
    """Read a signed validation.

    Raises
    ------
    ModelError
        Where the file cannot be read, or is not as it was written.
    """
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        signed = content.pop("sha256")
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise ModelError(f"{path} is no signed validation: {error!r}.") from error
    if digest_content(content) != signed:
        raise ModelError(f"{path} was changed after it was signed.")
    return {**content, "sha256": signed}


def open_plan(
    path: Path,
    settings: EvaluationSettings,
    folder: Path,
    config: ModelConfig,
    facts: Mapping[str, str],
) -> ValidationPlan:
    """Read the plan of a validation that is about to be made.

    Parameters
    ----------
    path
        The plan.
    settings
        What will be predicted.
    folder
        Where the validation will be written.
    config
        Of the model that will be judged.
    facts
        Of `describe_validation`, but the day and the version.

    Raises
    ------
    ModelError
        As `load_plan`; where the plan is stated for a later day, asks for what this model or these
        settings cannot tell, or the folder was judged by another plan or otherwise.
    """
    plan = load_plan(path)
    problems = [*_find_unanswerable(plan, settings, config)]
    if problems:
        raise ModelError(*(f"Validation plan {path}: {problem}" for problem in problems))
    refuse_second_judgement(folder, plan, facts)
    return plan


def _find_unanswerable(
    plan: ValidationPlan, settings: EvaluationSettings, config: ModelConfig
) -> Iterator[str]:
    """Yield a sentence for each thing that no number of people would tell."""
    if plan.stated_on > datetime.now(UTC).date():
        yield f"stated_on: {plan.stated_on} is still to come; criteria are stated before."
    if plan.horizon_months not in settings.horizons_months:
        yield (
            f"it judges month {plan.horizon_months:g}; predict it with "
            f"--horizon {plan.horizon_months:g}."
        )
    if plan.region not in config.regions:
        known = ", ".join(config.regions)
        yield f"region: {config.name} reports {known}, got {plan.region!r}."
    if plan.spearman_gain is not None and plan.region != config.endpoint:
        yield (
            f"spearman_gain: the regression beside {config.name} is of its endpoint, the "
            f"{config.endpoint}, not of the {plan.region}."
        )
    if plan.coverage_95 is not None and settings.samples == 1 and plan.region not in config.draw_sd:
        yield "coverage_95: one draw of this model has no sd; ask for --samples 2 or more."
    if plan.false_atrophy_percent is not None and settings.volumes_only:
        yield (
            "false_atrophy_percent: it is measured in later scans, which an evaluation of volumes "
            "only does not read."
        )


def refuse_second_judgement(
    folder: Path, plan: ValidationPlan, facts: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Return the judgement that a folder holds, if any; refuse to make another one.

    Parameters
    ----------
    folder
        Of the evaluation.
    plan, facts
        Of the judgement to be made; each fact must be as it was.

    Raises
    ------
    ModelError
        Where the folder holds a validation by another plan, or of other facts.
    """
    path = folder / RECORD
    if not path.exists():
        return None
    before = read_validation(path)
    if before["plan_sha256"] != plan.digest():
        raise ModelError(
            f"{folder} was judged by another plan, with the answer {before['decision']!r}; "
            "criteria are stated before, so these people cannot be judged by new ones."
        )
    other = [name for name in facts if before.get(name) != facts[name]]
    if other:
        raise ModelError(
            f"{folder} was judged before with another {' and '.join(other)}, with the answer "
            f"{before['decision']!r}; people are judged once."
        )
    return before


def _measure(
    tables: Mapping[str, pd.DataFrame],
    plan: ValidationPlan,
    scanned: Collection[str],
    rng: np.random.Generator,
    n_bootstrap: int,
) -> dict[str, Estimate]:
    predicted, failures = tables["predicted"], tables["failures"]
    own = predicted[
        (predicted["region"] == plan.region) & (predicted["horizon_months"] == plan.horizon_months)
    ]
    mine = own[own["method"] == MODEL]
    if mine.empty:
        raise ModelError(
            f"Nobody's {plan.region} is known at month {plan.horizon_months:g}, as the validation "
            "plan asks."
        )
    changes = _tabulate_changes(own)
    true, model = _pair(changes, "true", MODEL)
    known = mine[mine["sd_mm3"] > 0]
    z = ((known["true_mm3"] - known["predicted_mm3"]) / known["sd_mm3"]).abs().to_numpy(float)
    n_refused = int(failures["participant_id"].isin(list(scanned)).sum())
    options: dict[str, Any] = {"rng": rng, "n_bootstrap": n_bootstrap}
    return {
        "calibration_slope": _estimate(_compute_slope, true, model, **options),
        "coverage_95": estimate_share(int((z <= _Z95).sum()), len(z)),
        "spearman": _estimate(compute_spearman, model, true, **options),
        "spearman_gain": _estimate(
            compute_difference, *_pair(changes, "true", MODEL, REFERENCE), **options
        )
        if REFERENCE in changes
        else _nothing(0),
        "refused_share": estimate_share(n_refused, len(scanned)),
        "false_atrophy_percent": _estimate(
            compute_mean, _find_retests(tables["floor"], plan), **options
        )
        if "floor" in tables
        else _nothing(0),
    }


def _tabulate_changes(own: pd.DataFrame) -> pd.DataFrame:
    change = 100 * (own["predicted_mm3"] / own["start_mm3"] - 1)
    wide = own.assign(change=change).pivot_table(
        index="participant_id", columns="method", values="change"
    )
    first = own.drop_duplicates("participant_id").set_index("participant_id")
    wide["true"] = 100 * (first["true_mm3"] / first["baseline_mm3"] - 1)
    return wide


def _pair(changes: pd.DataFrame, *names: str) -> list[Array]:
    """Return columns of those who have all of them, whatever other methods lack."""
    known = changes[list(names)].dropna()
    return [known[name].to_numpy(float) for name in names]


def _find_retests(floor: pd.DataFrame, plan: ValidationPlan) -> Array:
    """Return the percent change between each person's first two scans that are close in time."""
    own = floor[floor["region"] == plan.region].sort_values("months")
    return np.array(list(_iterate_retests(own, plan.retest_months)), dtype=float)


def _iterate_retests(own: pd.DataFrame, within_months: float) -> Iterator[float]:
    for _, visits in own.groupby("participant_id"):
        months: Array = visits["months"].to_numpy(float)
        volumes: Array = visits["input_mm3"].to_numpy(float)
        (near,) = np.nonzero(np.diff(months) <= within_months)
        if near.size:
            yield 100 * float(volumes[near[0] + 1] / volumes[near[0]] - 1)


def _judge(found: Estimate, low: float, high: float) -> str:
    if low <= found.lower and found.upper <= high:
        return "met"
    return "not met" if found.upper < low or found.lower > high else "undecided"


def _estimate(statistic: Any, *values: Array, **options: Any) -> Estimate:
    if len(values[0]) < _FEWEST:
        return _nothing(len(values[0]))
    return estimate(statistic, *values, **options)


def _nothing(n: int) -> Estimate:
    return Estimate(float("nan"), float("nan"), float("nan"), n)


def _compute_slope(true: Array, predicted: Array) -> float:
    centered = predicted - predicted.mean()
    spread = float(centered @ centered)
    return float(centered @ true / spread) if spread > 0 else float("nan")
