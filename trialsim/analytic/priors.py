"""What is believed of a quantity before the trial."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt
from scipy import optimize, special, stats

from cohorts.entrances import entrance
from trialsim.analytic.point import FloatArray
from trialsim.errors import DesignError

_MAX_DRAWS: Final = 2**22
_NUMBERS: Final = (int, float, np.integer, np.floating)


class Prior(Protocol):
    """A belief, as a quantile function."""

    def quantile(self, share: FloatArray) -> FloatArray:
        """Return the quantiles of shares between 0 and 1."""
        ...


@dataclass(frozen=True)
class NormalPrior:
    """A normal belief.

    Attributes
    ----------
    mean, sd
        Of the quantity.

    Raises
    ------
    DesignError
        An sd that is not positive.
    """

    mean: float
    sd: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.mean) and 0 < self.sd < np.inf):
            raise DesignError(
                f"A normal prior needs a finite mean and an sd above 0, got {self.mean:g} and "
                f"{self.sd:g}."
            )

    def quantile(self, share: FloatArray) -> FloatArray:
        """Return the quantiles of shares between 0 and 1."""
        return np.asarray(self.mean + self.sd * special.ndtri(share))


@dataclass(frozen=True)
class Empirical:
    """Values that are equally likely, such as a bootstrap of the cohort.

    Attributes
    ----------
    values
        Two or more.
    """

    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.values) < 2 or not np.all(np.isfinite(self.values)):
            raise DesignError(
                f"An empirical prior needs two finite values or more, got {len(self.values)}."
            )

    def quantile(self, share: FloatArray) -> FloatArray:
        """Return the quantiles of shares between 0 and 1."""
        ordered = np.sort(np.asarray(self.values, dtype=float))
        place = np.minimum((share * len(ordered)).astype(int), len(ordered) - 1)
        return np.asarray(ordered[place])


def find_benefit_problems(mean: float, sd: float) -> list[str]:
    """Return a sentence where a normal prior has less than 1e-6 above 0, which is benefit."""
    if special.ndtr(mean / sd) >= 1e-6:
        return []
    return [
        f"The prior (mean {mean:g}, sd {sd:g}) gives a benefit less than one chance in a million: "
        "check its sign."
    ]


@entrance
def elicit_prior(shares: Sequence[float], values: Sequence[float]) -> NormalPrior:
    """Return the normal prior whose quantiles come closest to those an expert gave.

    Parameters
    ----------
    shares
        Such as [0.05, 0.5, 0.95]; two or more.
    values
        The expert's quantiles, as many.

    Returns
    -------
    NormalPrior
        Mean and sd.

    Raises
    ------
    DesignError
        Quantiles that do not increase with their shares.

    Examples
    --------
    >>> prior = elicit_prior([0.25, 0.5, 0.75], [0.2, 0.3, 0.4])
    >>> round(prior.mean, 3), round(prior.sd, 3)
    (0.3, 0.148)
    """
    p, x = np.asarray(shares, dtype=float), np.asarray(values, dtype=float)
    fine = p.shape == x.shape and p.ndim == 1 and p.size >= 2
    if not (
        fine and np.all((p > 0) & (p < 1)) and np.all(np.diff(p) > 0) and np.all(np.diff(x) > 0)
    ):
        raise DesignError(
            "Elicited quantiles must increase with shares between 0 and 1, two or more, got "
            f"{list(shares)} and {list(values)}."
        )
    sd, mean = np.polyfit(special.ndtri(p), x, 1)
    return NormalPrior(float(mean), float(sd))


@entrance
def summarize_studies(estimates: npt.ArrayLike, ses: npt.ArrayLike) -> NormalPrior:
    """Return the effect that a meta-analysis predicts for a new trial.

    Random effects with Paule & Mandel's variance between studies (1982, J Res NBS 87:377); the
    prior's variance holds that of the mean and that between studies.

    Parameters
    ----------
    estimates, ses
        One a study; two or more.

    Returns
    -------
    NormalPrior
        Of the effect in a new trial.

    Raises
    ------
    DesignError
        Fewer than two studies, an estimate that is missing, a standard error that is not positive.

    Examples
    --------
    >>> prior = summarize_studies([0.2, 0.3, 0.25], [0.1, 0.1, 0.1])
    >>> round(prior.mean, 3)
    0.25
    """
    y, se = np.asarray(estimates, dtype=float), np.asarray(ses, dtype=float)
    if (
        y.shape != se.shape
        or y.ndim != 1
        or y.size < 2
        or not np.all((se > 0) & np.isfinite(se) & np.isfinite(y))
    ):
        raise DesignError(
            "A meta-analysis needs two studies or more, each with a finite estimate and a standard "
            f"error above 0, got estimates {y.tolist()} and standard errors {se.tolist()}."
        )

    def excess(variance: float) -> float:
        weight = 1 / (se**2 + variance)
        mean = weight @ y / weight.sum()
        return float(weight @ (y - mean) ** 2) - (y.size - 1)

    top = 100 * float(np.var(y) + np.max(se) ** 2)
    between = optimize.brentq(excess, 0.0, top) if excess(0.0) > 0 else 0.0
    weight = 1 / (se**2 + between)
    return NormalPrior(float(weight @ y / weight.sum()), float(np.sqrt(between + 1 / weight.sum())))


def draw_beliefs(beliefs: Sequence[Prior | float], n: int, seed: int) -> FloatArray:
    """Return n joint draws, (n_beliefs, n), of independent beliefs; a number stays as it is.

    Scrambled Sobol points, whose average errs far less than that of random draws.

    Raises
    ------
    DesignError
        A belief that is neither a finite number nor a prior, fewer than 2 draws or too many.
    """
    problems = [
        f"What is believed must be a finite number or a prior, got {belief!r}."
        for belief in beliefs
        if not (
            np.isfinite(float(belief))
            if isinstance(belief, _NUMBERS)
            else hasattr(belief, "quantile")
        )
    ]
    if not (float(n).is_integer() and 2 <= n <= _MAX_DRAWS):
        problems.append(f"n_draws must be a whole number between 2 and {_MAX_DRAWS}, got {n}.")
    if problems:
        raise DesignError(*problems)
    engine = stats.qmc.Sobol(len(beliefs), rng=np.random.default_rng(seed))
    shares = engine.random_base2(int(np.ceil(np.log2(n)))).T
    # never exactly 0, where a normal quantile is infinite
    shares = np.clip(shares, 1e-9, 1 - 1e-9)
    return np.array(
        [
            np.full(shares.shape[1], float(belief))
            if isinstance(belief, _NUMBERS)
            else belief.quantile(share)
            for belief, share in zip(beliefs, shares, strict=True)
        ]
    )
