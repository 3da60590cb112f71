"""Screening in stages: a cheap measure first, then the scan, then PET.

Everyone who passes a stage enters the next, and the thresholds of all stages are searched together.
A stage measures something that is known of the people (a strategy's score, a column at baseline),
or something that nobody has measured, whose correlation with decline is stated. People then pass
with a probability: that of the normal variable which has the stated correlations with their decline
and with the other stages.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Final, Literal

import numpy as np
from scipy import special

from trialsim.analysis.result import Floats
from trialsim.costs import MOST_MONEY
from trialsim.errors import DesignError
from trialsim.optimization.paths import PathStage, ScreeningPath
from trialsim.plain_values import build_from_values

MOST_CHOICES: Final = 400
"""Combinations of thresholds that are tried."""

_HALVINGS: Final = 60


@dataclass(frozen=True)
class ScreeningStage:
    """A stage of screening; every attribute is a key of `[[optimize.stages]]`.

    Attributes
    ----------
    name
        Such as "plasma p-tau217".
    cost
        Of each person who enters it.
    share_passing
        Shares of those who enter it that are tried as its threshold, each above 0 and at most 1.
    measure
        A strategy of the study, or a column of numbers known at baseline; None where it is stated.
    passes
        Whether "high" or "low" values pass.
    correlation
        With decline (faster decline: higher), stated where there is no measure, between -1 and 1.
    correlations
        Of a stated stage with earlier measured ones, by their names; by default what their
        relations with decline alone would give.
    failure_rate
        Share of those who enter whose result is missing, so that they cannot go on.
    capacity_per_month
        People whom it can take a month; None for any number.
    """

    name: str
    cost: float = 0.0
    share_passing: tuple[float, ...] = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
    measure: str | None = None
    passes: Literal["high", "low"] = "high"
    correlation: float | None = None
    correlations: Mapping[str, float] = field(default_factory=dict)
    failure_rate: float = 0.0
    capacity_per_month: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "share_passing", tuple(map(float, self.share_passing)))
        where, problems = f"stage {self.name!r}", []
        if not self.share_passing or any(not 0 < share <= 1 for share in self.share_passing):
            problems.append(f"{where}: share_passing must lie above 0 and at most at 1.")
        if (self.measure is None) == (self.correlation is None):
            problems.append(
                f"{where}: give exactly one of measure (what people have) and correlation with "
                "decline (stated)."
            )
        stated = [r for r in (self.correlation, *self.correlations.values()) if r is not None]
        if any(not -1 < r < 1 for r in stated):
            problems.append(
                f"{where}: correlations must lie between -1 and 1, both excluded, got {stated}."
            )
        if self.passes not in ("high", "low"):
            problems.append(f'{where}: passes must be "high" or "low", got {self.passes!r}.')
        if not 0 <= self.failure_rate < 1:
            problems.append(
                f"{where}: failure_rate must lie from 0 to below 1, got {self.failure_rate:g}."
            )
        if not 0 <= self.cost <= MOST_MONEY:
            problems.append(
                f"{where}: cost must be 0 or more and at most {MOST_MONEY:g}, got {self.cost:g}."
            )
        if self.capacity_per_month is not None and not self.capacity_per_month > 0:
            problems.append(f"{where}: capacity_per_month must be greater than 0.")
        if problems:
            raise DesignError(*problems)


def build_stage(values: Mapping[str, Any], *, source: str) -> ScreeningStage:
    """Return the stage of plain values.

    Raises
    ------
    DesignError
        A key is unknown or missing, a value cannot be.
    """
    return build_from_values(ScreeningStage, values, source)


@dataclass(frozen=True)
class Thresholds:
    """Shares that pass each stage, of those who enter it."""

    shares: tuple[float, ...]

    @property
    def fraction_enrolled(self) -> float:
        """Share of everyone screened who would be enrolled, failures apart."""
        return float(np.prod(self.shares))

    def describe(self, stages: Sequence[ScreeningStage], cutoffs: Sequence[float]) -> str:
        """Return the rule in words.

        Parameters
        ----------
        stages
            In their order.
        cutoffs
            From `compute_passing`; told of what was measured.
        """
        parts = []
        for stage, share, cut in zip(stages, self.shares, cutoffs, strict=True):
            if share == 1:
                continue
            is_high = stage.passes == "high"
            words = f"{stage.name} {'top' if is_high else 'lowest'} {100 * share:.3g}%"
            if stage.measure is not None:
                bound = f"at least {cut:.4g}" if is_high else f"at most {-cut:.4g}"
                words += f" ({bound})"
            parts.append(words)
        return ", then ".join(parts)

    def build_path(self, stages: Sequence[ScreeningStage], failure_rate: float) -> ScreeningPath:
        """Return the way through the stages; one that everyone passes is not made.

        Parameters
        ----------
        stages
            In their order.
        failure_rate
            Of those who pass all, for other reasons.
        """
        kept = [
            (stage, share) for stage, share in zip(stages, self.shares, strict=True) if share < 1
        ]
        path = [
            PathStage(
                stage.name,
                share * (1 - stage.failure_rate),
                stage.cost,
                stage.capacity_per_month,
            )
            for stage, share in kept
        ]
        end = PathStage("eligible", 1 - failure_rate, 0.0)
        return ScreeningPath((*path, end) if failure_rate or not path else tuple(path))


def list_thresholds(stages: Sequence[ScreeningStage]) -> list[Thresholds]:
    """Return every combination of shares that leaves someone out in at least one stage.

    Raises
    ------
    DesignError
        More than 400 combinations.
    """
    n_choices = math.prod(len(stage.share_passing) for stage in stages)
    if n_choices > MOST_CHOICES:
        raise DesignError(
            f"The stages have {n_choices} combinations of thresholds, at most {MOST_CHOICES} are "
            "tried: give fewer values of share_passing."
        )
    combined = product(*(stage.share_passing for stage in stages))
    return [Thresholds(shares) for shares in combined if min(shares) < 1] if stages else []


def build_latents(
    stages: Sequence[ScreeningStage],
    measured: Mapping[str, Floats],
    decline: Floats,
    reliability: float,
    weights: Floats,
) -> tuple[Floats, Floats]:
    """Return what each stage measures in each person: its expectation, and what is not known of it.

    Parameters
    ----------
    stages
        In their order.
    measured
        Name of a stage -> (n_people,), higher passes; the other stages are stated.
    decline
        Measured decline, (n_people,).
    reliability
        Share of its variance that is true decline, above 0 and at most 1.
    weights
        (n_people,).

    Returns
    -------
    expected
        (n_stages, n_people).
    spread
        Standard deviation around it, (n_stages,): 0 where it was measured.

    Raises
    ------
    DesignError
        Stated correlations that no variables can have together, or with a stage that is not there.
    """
    # a marker that follows true decline follows measured decline less, by its reliability
    share = math.sqrt(reliability)
    columns, names = [_standardize(decline, weights)], ["decline"]
    expected, spread = [], []
    for stage in stages:
        if stage.name in measured:
            own = _standardize(measured[stage.name], weights)
            columns.append(own)
            names.append(stage.name)
            expected.append(measured[stage.name])
            spread.append(0.0)
            continue
        table = np.stack(columns)
        among = (table * weights) @ table.T / weights.sum()
        assert stage.correlation is not None  # noqa: S101 - one of the two is given
        sign = 1.0 if stage.passes == "high" else -1.0
        # by default related to earlier stages through decline alone
        wanted = stage.correlation * share * among[0]
        for other, value in stage.correlations.items():
            if other not in names:
                raise DesignError(
                    f"stage {stage.name!r}: {other!r} is no earlier stage that was measured; there "
                    f"are {', '.join(names[1:]) or 'none'}."
                )
            wanted[names.index(other)] = value
        coefficients = np.linalg.pinv(among, hermitian=True) @ wanted
        explained = float(wanted @ coefficients)
        if explained >= 1 or not np.allclose(among @ coefficients, wanted, atol=1e-6):
            raise DesignError(
                f"stage {stage.name!r}: no variable has these correlations with decline and with "
                "the other stages at once; make them smaller."
            )
        expected.append(sign * (coefficients @ table))
        spread.append(math.sqrt(1 - explained))
    return np.stack(expected), np.array(spread)


def compute_passing(
    expected: Floats, spread: Floats, shares: Sequence[float], weights: Floats
) -> tuple[Floats, list[float], "Thresholds"]:
    """Return the probability that each person passes all stages, (n_people,), and the cut-offs.

    People with equal values pass together, so that more may pass than were asked for.

    Parameters
    ----------
    expected, spread
        From `build_latents`.
    shares
        Of those who enter each stage.
    weights
        (n_people,).

    Returns
    -------
    tuple
        The probabilities; of each stage the value from which on people pass, NaN where everyone
        is to; the shares that pass.
    """
    passing, cutoffs, passed = np.ones(len(weights)), [], []
    for middle, noise, share in zip(expected, spread, shares, strict=True):
        cut, entering = math.nan, float(weights @ passing)
        if share < 1:
            cut = _find_cutoff(middle, noise, share, weights * passing)
            far = (middle - cut) / noise if noise else np.where(middle >= cut, np.inf, -np.inf)
            passing = passing * special.ndtr(far)
        cutoffs.append(cut)
        # everyone counts as everyone, whatever sums lose in their last digits
        passed.append(min(round(float(weights @ passing) / entering, 9), 1.0))
    return np.asarray(passing), cutoffs, Thresholds(tuple(passed))


def _find_cutoff(middle: Floats, noise: float, share: float, entering: Floats) -> float:
    if noise == 0:
        order = np.argsort(-middle, kind="stable")
        until = np.cumsum(entering[order])
        return float(middle[order][int(np.searchsorted(until, share * until[-1] - 1e-9))])
    low, high = float(middle.min() - 6 * noise), float(middle.max() + 6 * noise)
    total = entering.sum()
    for _ in range(_HALVINGS):
        cut = (low + high) / 2
        if entering @ special.ndtr((middle - cut) / noise) > share * total:
            low = cut
        else:
            high = cut
    return high


def _standardize(values: Floats, weights: Floats) -> Floats:
    share = weights / weights.sum()
    centered = values - share @ values
    return np.asarray(centered / math.sqrt(share @ centered**2))
