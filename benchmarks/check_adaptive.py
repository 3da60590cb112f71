"""Adaptive trials of people with visits beside the summary-level trials of `trialsim.adaptive`.

    python benchmarks/check_adaptive.py [--trials 10000]

People have 4 visits, lines of their own and noise; 20 % leave; the MMRM at the last visit judges.
Prints, for each rule, what summary-level trials say and what trials of people do, with the
difference in Monte Carlo standard errors:

* blinded re-estimation from the pooled sd given baseline of the completers of the first stage;
* a promising zone: the look in calendar time, from the visits seen by then, with people on their
  way; the second stage is what the whole trial's statistic adds to that of the look;
* adaptive enrichment: a first stage of everyone, a second of everyone or of the top third.
"""

import argparse
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import special

from trialsim.adaptive import EnrichmentRule, Population, PromisingZone, reestimate_blinded
from trialsim.adaptive.blinded import simulate_blinded_reestimation
from trialsim.adaptive.combination import combine_stages
from trialsim.adaptive.enrichment import simulate_adaptive_enrichment
from trialsim.adaptive.intersection import intersect
from trialsim.analysis import fit_mmrm
from trialsim.analysis.result import FitResult
from trialsim.analytic import MmrmEndpoint, group_sequential, plan_looks
from trialsim.analytic.point import FloatArray

Floats = NDArray[np.float64]
SEED = 20260101
MONTHS = np.array([0.0, 6.0, 12.0, 18.0])
RANDOM = np.array([[160_000.0, 1000.0], [1000.0, 20.0]])
RESIDUAL, SLOPE, DELTA = 2500.0, -5.0, 27.0
HAZARD = -np.log(0.8) / MONTHS[-1]
EFFECTS = (0.0, 0.5, 1.0)
BATCH = 500


def draw_people(
    rng: np.random.Generator, n_trials: int, n: int, effect: float | Floats
) -> tuple[Floats, Floats]:
    """Return outcomes, (n_trials, n, 4), of arms that take turns, and each person's true slope."""
    lines = rng.multivariate_normal([3000.0, SLOPE], RANDOM, size=(n_trials, n))
    slopes = lines[..., 1].copy()
    lines[:, 1::2, 1] += np.broadcast_to(effect, (n_trials, n))[:, 1::2] / MONTHS[-1]
    y = lines[..., :1] + lines[..., 1:] * MONTHS
    y += np.sqrt(RESIDUAL) * rng.standard_normal(y.shape)
    leave = rng.exponential(1 / HAZARD, size=(n_trials, n, 1))
    y[leave < MONTHS] = np.nan
    return y, slopes


def fit(y: Floats, kept: NDArray[np.bool_] | None = None) -> FitResult:
    """Return the MMRM of the visits after baseline; people who are not kept have none."""
    arm = np.arange(y.shape[1]) % 2
    outcome = y[..., 1:] if kept is None else np.where(kept[..., None], y[..., 1:], np.nan)
    return fit_mmrm(
        outcome, arm, MONTHS[1:], y[..., :1], degrees_of_freedom="kenward_roger", workers=1
    )


def get_z(fitted: FitResult) -> Floats:
    """Return normal quantiles of the p values."""
    return compute_z(fitted.estimate / fitted.se, fitted.df)


def compute_z(t: Floats, df: Floats) -> Floats:
    """Return the normal quantiles of t statistics' p values."""
    return np.asarray(-np.sign(t) * special.ndtri(special.stdtr(df, -np.abs(t))))


def build_endpoint() -> tuple[MmrmEndpoint, float]:
    """Return what closed forms know of the people, and the sd at the last visit given baseline."""
    design = np.column_stack([np.ones(4), MONTHS])
    covariance = design @ RANDOM @ design.T + RESIDUAL * np.eye(4)
    known = covariance[1:, 1:] - np.outer(covariance[1:, 0], covariance[0, 1:]) / covariance[0, 0]
    sd = np.sqrt(np.diag(known))
    correlation = known / np.outer(sd, sd)
    return MmrmEndpoint(MONTHS[1:], sd=float(sd[-1]), correlation=correlation), float(sd[-1])


def spread(n_trials: int) -> Iterator[tuple[np.random.Generator, int]]:
    """Yield a stream and a number of trials for each batch."""
    for batch in range(-(-n_trials // BATCH)):
        yield np.random.default_rng((SEED, batch)), BATCH


def report(name: str, said: float, drawn: Floats, error: float = 0.0) -> None:
    """Print what summary-level trials say, with their `error`, beside trials of people."""
    found = float(drawn.mean())
    own = np.hypot(drawn.std(ddof=1) / np.sqrt(len(drawn)), error)
    print(f"  {name:54} {said:9.4f} {found:9.4f} {(found - said) / own:+6.1f} MCSE", flush=True)


def check_blinded(n_trials: int) -> None:
    """Re-estimate from the first 40 people an arm; the sd is a fifth above the planned one."""
    (endpoint, sd_complete), first, maximum = build_endpoint(), 40, 300
    retained = np.exp(-HAZARD * endpoint.visit_months)
    # people randomized have the precision of completers of this sd
    sd = np.sqrt(endpoint.compute_unit_variance(retained, retained, 1.0) / 2)
    share = float(sd / sd_complete) ** 2
    rules = {"delta": DELTA, "alpha": 0.05, "sides": 2, "power": 0.8}
    said = simulate_blinded_reestimation(
        sd=float(sd), planned_sd=float(sd) / 1.2, first_stage=round(first * retained[-1]),
        maximum=maximum, n_simulations=100_000, effects=(0.0, 1.0), **rules,
    )  # fmt: skip
    for row in said.itertuples():
        sizes, rejected = [], []
        for rng, n in spread(n_trials):
            y, _ = draw_people(rng, n, 2 * maximum, row.effect * DELTA)
            early = y[:, : 2 * first]
            total = reestimate_blinded(
                share * pool_given_baseline(early[..., 0], early[..., -1]),
                adjusted=False, minimum=first, maximum=maximum, **rules,
            )  # fmt: skip
            size = np.ceil(np.asarray(total.n_control_randomized) - 1e-9)
            kept = np.arange(2 * maximum) < 2 * size[:, None]
            sizes.append(size)
            rejected.append(get_z(fit(y, kept)) > 1.959964)
        label = f"blinded, effect {row.effect:g}"
        report(f"{label}: rejects", row.power_reestimated, np.concatenate(rejected), row.mcse)
        report(f"{label}: people an arm", row.mean_n_per_arm, np.concatenate(sizes))


def pool_given_baseline(baseline: Floats, last: Floats) -> Floats:
    """Return the variance of the last visit given baseline, of both arms together."""
    seen = ~np.isnan(last)
    n = seen.sum(axis=1)
    x, y = (np.where(seen, part, 0.0) for part in (baseline - 3000, last - 3000))
    x, y = (
        np.where(seen, part - part.sum(axis=1, keepdims=True) / n[:, None], 0) for part in (x, y)
    )
    slope = (x * y).sum(axis=1) / (x * x).sum(axis=1)
    return np.asarray(((y - slope[:, None] * x) ** 2).sum(axis=1) / (n - 2))


def check_promising(n_trials: int) -> None:
    """Follow a promising zone in calendar time."""
    plan = plan_looks(
        build_endpoint()[0], [0.5, 1], delta=DELTA, accrual=10, dropout_per_month=HAZARD, power=0.8
    )
    zone = PromisingZone(plan.design, target=0.9, lowest=0.4, maximum=1.5)
    planned = 2 * round(plan.n_total / 2)
    n, t = 2 * round(0.75 * planned), plan.design.information_rates[0]
    bounds = plan.design.efficacy_z
    seen = np.arange(n)[:, None] / 10 + MONTHS <= plan.months[0]
    for row in zone.tabulate(EFFECTS).itertuples():
        powers, totals, promising = [], [], []
        for rng, size in spread(n_trials):
            y, _ = draw_people(rng, size, n, row.effect * DELTA)
            look = fit(np.where(seen, y, np.where(np.arange(4) == 0, y, np.nan)))
            z = get_z(look)
            total = zone.compute_total(z)
            last = fit(y, np.arange(n) < np.round(total[:, None] * planned / 2) * 2)
            both = 1 / look.se**2, 1 / last.se**2
            score = np.sqrt(both[1]) * get_z(last) - np.sqrt(both[0]) * z
            added = score / np.sqrt(np.maximum(both[1] - both[0], 1e-12))
            late = np.sqrt(t) * z + np.sqrt(1 - t) * added >= bounds[1]
            powers.append((z >= bounds[0]) | late)
            on = z < bounds[0]
            totals.append(np.where(on, total, t))
            promising.append(on & (total > 1))
        label = f"promising zone, effect {row.effect:g}"
        report(f"{label}: rejects", row.power, np.concatenate(powers))
        report(f"{label}: information", row.expected_information, np.concatenate(totals))
        report(f"{label}: enlarged", row.share_promising, np.concatenate(promising))


def check_enrichment(n_trials: int) -> None:
    """Choose everyone or the top third by a score, which is the true slope with as much error."""
    fraction, n_stage = 1 / 3, 240
    rng = np.random.default_rng(SEED)
    whole, slopes = draw_people(rng, 1, 400_000, 0.0)
    score = slopes + np.sqrt(RANDOM[1, 1]) * rng.standard_normal(slopes.shape)
    limit = np.quantile(score, fraction)
    chosen = score[0] <= limit
    decline = [-slopes[0, own].mean() * MONTHS[-1] for own in (chosen, ~chosen)]
    # what an MMRM of such people knows, as people of one outcome
    sd = [
        np.sqrt(200) * fit(whole[:, own][:, :4000]).se[0] * np.sqrt(5) for own in (chosen, ~chosen)
    ]
    for slowing in (0.0, 0.3):
        effects = [slowing * part for part in decline]
        population = Population(fraction, *effects, *(float(part) for part in sd))
        rule = EnrichmentRule(group_sequential([0.5, 1]), test="spiessens_debois")
        said = simulate_adaptive_enrichment(
            rule, population, n_total=2 * n_stage, n_simulations=100_000
        )
        parts = [
            run_enrichment(stream, n, n_stage, limit, fraction, effects, rule)
            for stream, n in spread(n_trials)
        ]
        rejected, selected, stopped = (
            np.concatenate(column) for column in zip(*parts, strict=True)
        )
        label = f"adaptive enrichment, slowing {slowing:g}"
        report(f"{label}: rejects", said.reject_any, rejected, said.mcse)
        for name, share, drawn in (
            ("chooses the top third", said.chose_selected, selected),
            ("stops", said.stopped_early, stopped),
        ):
            error = np.sqrt(share * (1 - share) / said.n_simulations)
            report(f"{label}: {name}", share, drawn, error)


def run_enrichment(
    rng: np.random.Generator,
    n_trials: int,
    n_stage: int,
    limit: float,
    fraction: float,
    effects: list[float],
    rule: EnrichmentRule,
) -> tuple[Floats, Floats, Floats]:
    """Return which trials reject any hypothesis, choose the top third, stop at the look."""

    def draw(n: int, only: bool) -> tuple[Floats, NDArray[np.bool_]]:
        y, slopes = draw_people(rng, n_trials, n * (5 if only else 1), 0.0)
        score = slopes + np.sqrt(RANDOM[1, 1]) * rng.standard_normal(slopes.shape)
        chosen = score <= limit
        treated = np.arange(y.shape[1]) % 2 == 1
        gain = np.where(chosen, *effects) * treated
        y = y + gain[..., None] * MONTHS / MONTHS[-1]
        if only:
            # the first n/2 of each arm whom the score selects
            order = np.cumsum(chosen.reshape(n_trials, -1, 2), axis=1).reshape(chosen.shape)
            return y, chosen & (order <= n / 2)
        return y, chosen

    def judge(y: Floats, chosen: NDArray[np.bool_]) -> tuple[FloatArray, FloatArray, Floats]:
        own, rest = fit(y, chosen), fit(y, ~chosen)
        estimate = fraction * own.estimate + (1 - fraction) * rest.estimate
        se = np.hypot(fraction * own.se, (1 - fraction) * rest.se)
        z = compute_z(estimate / se, own.df + rest.df)
        return get_tail(z), get_tail(get_z(own)), own.estimate - estimate

    bounds, rates = rule.design.efficacy_z, rule.design.information_rates
    p_everyone, p_selected, excess = judge(*draw(n_stage, only=False))
    p_both = intersect(np.array([p_everyone, p_selected]), rule.test, float(np.sqrt(fraction)))
    z = combine_stages(np.array([[p_everyone, p_selected, p_both]]), rates)[0]
    early = ((z[2] >= bounds[0]) & (z[:2] >= bounds[0])).any(axis=0)
    enriched = excess > rule.margin
    p_second = judge(*draw(n_stage, only=False))[0]
    q_alone = get_tail(get_z(fit(*draw(n_stage, only=True))))
    second = np.where(enriched, q_alone, p_second)
    carried = np.where(enriched, p_selected, p_everyone)
    own, together = (
        combine_stages(np.array([first, second]), rates)[1] for first in (carried, p_both)
    )
    late = ~early & (own >= bounds[1]) & (together >= bounds[1])
    return early | late, ~early & enriched, early


def get_tail(z: Floats) -> Floats:
    """Return one-sided p values."""
    return np.asarray(special.ndtr(-z))


def main() -> None:
    """Print each rule's numbers."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=10_000)
    n_trials = parser.parse_args().trials
    print(f"{'':56} {'summary':>9} {'people':>9}")
    check_blinded(n_trials)
    check_promising(n_trials)
    check_enrichment(n_trials)


if __name__ == "__main__":
    main()
