"""Operating characteristics of simulated trials, each with its Monte Carlo standard error."""

from dataclasses import dataclass

import numpy as np
from scipy import special

from trialsim.analysis.result import Flags, Floats
from trialsim.design import TrialDesign
from trialsim.enrichment.evaluation.bootstrap import compute_score_interval
from trialsim.simulation.trials import Fits, SimulatedTrials


@dataclass(frozen=True)
class Rejections:
    """Which trials reject "no difference", (n_sizes, n_replicates) each; a failed fit does not.

    Attributes
    ----------
    effect
        With the treatment's effect.
    null
        Without any.
    """

    effect: Flags
    null: Flags


def compute_rejections(trials: SimulatedTrials, analysis: str, design: TrialDesign) -> Rejections:
    """Return the decisions of one analysis at the design's alpha."""
    # the treatment prevents loss, so a one-sided test looks for a positive difference
    return Rejections(
        _reject(trials.effect[analysis], design), _reject(trials.null[analysis], design)
    )


def _reject(fits: Fits, design: TrialDesign) -> Flags:
    with np.errstate(invalid="ignore"):
        t = fits.estimate / fits.se
        t = np.abs(t) if design.sides == 2 else t
        return np.asarray(special.stdtr(fits.df, -t) < design.alpha / design.sides)


def compute_characteristics(
    trials: SimulatedTrials, analysis: str, design: TrialDesign
) -> list[dict[str, float]]:
    """Return the operating characteristics of one analysis, one dictionary for each trial size.

    Keys are columns of the table `operating_characteristics`. Bias, standard errors, coverage are
    those of the trials whose fit did not fail; coverage is that of the 1 - alpha interval (1 - 2
    alpha where the test is one-sided).

    References
    ----------
    Morris, White & Crowther 2019 (Stat Med 38:2074), table 6, for the Monte Carlo errors.
    """
    decisions = compute_rejections(trials, analysis, design)
    truth = trials.estimand.get_value(analysis)
    fits = trials.effect[analysis]
    covered = _cover(fits, truth, design)
    rows = []
    for i, (n_control, n_treatment) in enumerate(trials.sizes):
        fine = fits.converged[i]
        rows.append(
            {
                "n_control": n_control,
                "n_treatment": n_treatment,
                **_describe_power(decisions.effect[i]),
                "type_one_error": float(decisions.null[i].mean()),
                "type_one_error_mcse": compute_share_mcse(decisions.null[i]),
                **_describe_estimates(fits.estimate[i][fine], fits.se[i][fine], truth),
                "coverage": float(covered[i][fine].mean()) if fine.any() else np.nan,
                "coverage_mcse": compute_share_mcse(covered[i][fine]),
                "true_difference": truth,
                "n_simulations": fine.size,
                "n_failed_fits": int((~fine).sum()),
                "n_boundary_fits": int(fits.boundary[i].sum()),
            }
        )
    return rows


def compute_share_mcse(happened: Flags) -> float:
    """Return the Monte Carlo standard error of a share."""
    if not happened.size:
        return np.nan
    share = happened.mean()
    return float(np.sqrt(share * (1 - share) / happened.size))


def _describe_power(rejected: Flags) -> dict[str, float]:
    low, high = compute_score_interval(*np.array([[rejected.sum()], [rejected.size]]))
    return {
        "power": float(rejected.mean()),
        "mcse": compute_share_mcse(rejected),
        "power_lower": float(low[0]),
        "power_upper": float(high[0]),
    }


def _describe_estimates(estimate: Floats, se: Floats, truth: float) -> dict[str, float]:
    if len(estimate) < 2:
        names = ("bias", "bias_mcse", "empirical_se", "model_se")
        return dict.fromkeys(names, np.nan)
    spread = float(estimate.std(ddof=1))
    return {
        "bias": float(estimate.mean() - truth),
        "bias_mcse": spread / np.sqrt(len(estimate)),
        "empirical_se": spread,
        "model_se": float(np.sqrt(np.mean(se**2))),
    }


def _cover(fits: Fits, truth: float, design: TrialDesign) -> Flags:
    with np.errstate(invalid="ignore"):
        t = np.abs(fits.estimate - truth) / fits.se
        return np.asarray(special.stdtr(fits.df, -t) >= design.alpha / design.sides)
