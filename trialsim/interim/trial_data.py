"""A running trial's table, analyzed as its looks are."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import special

from cohorts.counting import tally
from cohorts.sources.tables.table import read_table
from trialsim.adaptive import reestimate_blinded
from trialsim.analysis import fit_mmrm
from trialsim.errors import DesignError
from trialsim.finished import FinishedTrial, read_trial
from trialsim.interim.monitoring import MonitoringPlan


@dataclass(frozen=True)
class ObservedLook:
    """What the primary analysis says at a look.

    Attributes
    ----------
    z
        Normal quantile of the p value: positive where treated people have higher outcomes.
    information
        1 / se^2.
    """

    z: float
    information: float


def estimate_look(
    table: Path, endpoint: str, plan: MonitoringPlan, *, control: str | None = None
) -> ObservedLook:
    """Return the MMRM of the visits so far, adjusted for baseline, at the last planned visit.

    With Kenward & Roger's standard error: few people have every visit at an early look.

    Raises
    ------
    DesignError
        A table that is no trial, nobody at the last visit, a fit that fails.
    """
    trial = _read(table, endpoint, plan, control=control)
    later = trial.outcome[:, 1:]
    seen = np.isfinite(later).any(axis=1)
    fit = fit_mmrm(
        later[None, seen],
        trial.arms[seen],
        trial.months[1:],
        trial.outcome[seen, :1],
        degrees_of_freedom="kenward_roger",
    )
    if not fit.converged[0]:
        raise DesignError(
            f"The MMRM of {table} could not be fitted: too few people have the visit at month "
            f"{trial.months[-1]:g}."
        )
    t = fit.estimate / fit.se
    z = np.sign(t) * -special.ndtri(special.stdtr(fit.df, -np.abs(t)))
    return ObservedLook(float(z[0]), float(fit.se[0] ** -2.0))


def summarize_blinded(table: Path, endpoint: str, plan: MonitoringPlan) -> dict[str, float]:
    """Return sizes, pooled variance and drop-out, and the people that they ask for.

    No arm is read, whatever the table holds.

    The variance is that of the change to the last visit left after regression on baseline.

    Raises
    ------
    DesignError
        A table that is no trial, fewer than 10 people at the last visit, a plan without an effect.
    """
    trial = _read(table, endpoint, plan, is_blinded=True)
    last, first = trial.outcome[:, -1], trial.outcome[:, 0]
    done = np.isfinite(last) & np.isfinite(first)
    if done.sum() < 10:
        raise DesignError(
            f"Only {tally(done.sum(), 'people')} of {table} have the last visit; a variance "
            "is re-estimated "
            "from 10 or more."
        )
    if plan.delta is None:
        raise DesignError("The plan holds no design effect: plan with --delta and --sd.")
    design = np.column_stack([np.ones(done.sum()), first[done] - first[done].mean()])
    residual = last[done] - design @ np.linalg.lstsq(design, last[done], rcond=None)[0]
    variance = float(residual @ residual / (done.sum() - 2))
    due = np.isfinite(trial.outcome).any(axis=1)
    size = reestimate_blinded(
        variance,
        delta=plan.delta,
        alpha=plan.alpha,
        sides=plan.sides,
        power=plan.power,
        allocation_ratio=plan.allocation_ratio,
        adjusted=False,
    )
    inflation = plan.build().inflation_factor
    return {
        "people": float(due.sum()),
        "people_at_last_visit": float(done.sum()),
        "pooled_sd_given_baseline": float(np.sqrt(variance)),
        "n_total_with_endpoint": (1 + plan.allocation_ratio) * float(size.n_control) * inflation,
    }


def _read(
    table: Path,
    endpoint: str,
    plan: MonitoringPlan,
    *,
    control: str | None = None,
    is_blinded: bool = False,
) -> FinishedTrial:
    visits = plan.visits_months
    planned = None if visits is None else (0.0, *visits)
    rows = read_table(table)
    # looks are adjusted for baseline alone
    trial = read_trial(
        rows.drop(columns="arm", errors="ignore") if is_blinded else rows,
        endpoint=endpoint,
        covariates=(),
        control=control,
        visits_months=planned,
    )
    if not np.isfinite(trial.outcome[:, -1]).any():
        raise DesignError(
            f"Nobody in {table} has the visit at month {trial.months[-1]:g} yet, which the "
            "endpoint needs."
        )
    return trial
