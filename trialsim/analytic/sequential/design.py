"""What a group-sequential design promises."""

from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from trialsim.analytic.arguments import ANY, POSITIVE, find_problems, raise_problems
from trialsim.analytic.correlation import find_correlation_problems
from trialsim.analytic.point import DesignPoint, FloatArray, Quantity, simplify
from trialsim.analytic.priors import find_benefit_problems
from trialsim.analytic.sequential.adjusting import respend
from trialsim.analytic.sequential.bounds import Looks
from trialsim.analytic.sequential.correlated import (
    compute_correlated_crossings,
    find_correlated_bounds,
)
from trialsim.analytic.sequential.inference import StoppedTrial, infer
from trialsim.analytic.sequential.walk import Crossings, Drift, compute_crossings
from trialsim.errors import DesignError

Effect = Quantity | Literal["observed"]
"""A multiple of the design effect: 0 none, 1 as planned; "observed" is what the data say so far."""


class StopProbabilities(NamedTuple):
    """Probability to stop at each look, (..., n_looks).

    Attributes
    ----------
    efficacy
        Across the upper bound.
    futility
        Across the lower bound; at the last look, without having crossed. With two sides it is the
        opposite side's efficacy bound.
    """

    efficacy: FloatArray
    futility: FloatArray


class ExpectedInformation(NamedTuple):
    """Information at the stop, on average.

    Attributes
    ----------
    of_maximum
        As a share of the maximum.
    of_fixed
        As a share of the design of the same alpha, sides, power with one analysis.
    """

    of_maximum: Quantity
    of_fixed: Quantity


@dataclass(frozen=True, kw_only=True)
class GroupSequentialDesign:
    """A trial with looks; arrays are (n_looks,).

    Attributes
    ----------
    information_rates
        Share of the maximum information at each look.
    alpha
        Total type I error.
    sides
        1 or 2.
    power
        Probability to cross an efficacy bound at the design effect.
    binding
        Whether the type I error counts on stopping for futility.
    efficacy_z
        Stop for efficacy at z of this or more; infinite where nobody may.
    futility_z
        Stop for futility below this; minus infinite where nobody may. At the last look it is the
        efficacy bound; with two sides the mirrored efficacy bounds.
    drift
        Mean of Z at the maximum information under the design effect.
    looks
        The rules that the bounds follow.
    correlation
        Of Z over looks, (n_looks, n_looks), where increments are not independent; else None.
    """

    information_rates: FloatArray
    alpha: float
    sides: int
    power: float
    binding: bool
    efficacy_z: FloatArray
    futility_z: FloatArray
    drift: float
    looks: Looks = field(repr=False)
    correlation: FloatArray | None = field(default=None, repr=False)

    @property
    def n_looks(self) -> int:
        """Number of looks, the last one counted."""
        return len(self.information_rates)

    @property
    def has_futility(self) -> bool:
        """Whether the trial may stop for futility."""
        return self.looks.futility is not None

    @property
    def nominal_p(self) -> FloatArray:
        """P value that must be reached at each look: two-sided where the design is."""
        return np.asarray(self.sides * special.ndtr(-self.efficacy_z))

    @property
    def cumulative_alpha(self) -> FloatArray:
        """Type I error spent by each look, both sides together."""
        return np.asarray(self.sides * np.cumsum(self._cross(self._null_lower_z, 0.0).above))

    @property
    def cumulative_beta(self) -> FloatArray:
        """Type II error spent by each look; all that is left at the last one."""
        stops = self.stop_probabilities()
        spent = np.cumsum(stops.futility) if self.sides == 1 else np.zeros(self.n_looks)
        spent[-1] = 1 - stops.efficacy.sum()
        return np.asarray(spent)

    @property
    def inflation_factor(self) -> float:
        """Maximum information over that of a design with one analysis."""
        fixed = special.ndtri(self.power) - special.ndtri(self.alpha / self.sides)
        return float((self.drift / fixed) ** 2)

    def stop_probabilities(self, effect: Quantity = 1.0) -> StopProbabilities:
        """Return the probability to stop at each look.

        Parameters
        ----------
        effect
            Multiples of the design effect; one, or (n,).

        Examples
        --------
        >>> from trialsim.analytic import group_sequential
        >>> design = group_sequential([0.5, 1], power=0.9)
        >>> design.stop_probabilities(effect=0).efficacy.round(4).tolist()
        [0.0015, 0.0235]
        """
        raise_problems(find_problems(effect=(effect, ANY)))
        crossings = self._cross(self.futility_z, effect)
        return StopProbabilities(crossings.above, crossings.below)

    def expected_information(self, effect: Quantity = 1.0) -> ExpectedInformation:
        """Return the information at the stop, on average; `effect` as in `stop_probabilities`."""
        stops = self.stop_probabilities(effect)
        early = (stops.efficacy + stops.futility)[..., :-1]
        saved = (early * (1 - self.information_rates[:-1])).sum(axis=-1)
        return ExpectedInformation(
            simplify(1 - saved), simplify((1 - saved) * self.inflation_factor)
        )

    def effect_bounds(
        self, point: DesignPoint, *, degrees_of_freedom: FloatArray | None = None
    ) -> FloatArray:
        """Return the smallest difference between the arms that stops for efficacy, (n_looks,).

        Parameters
        ----------
        point
            The design with one analysis of the same alpha and sides, whose information times
            `inflation_factor` is the maximum of this one.
        degrees_of_freedom
            (n_looks,), where a t statistic meets the bounds by its p value; None for z.
        """
        delta, power = np.asarray(point.delta), np.asarray(point.power)
        if delta.ndim or power.ndim:
            raise DesignError("effect_bounds needs a point that holds one design, got several.")
        fixed = special.ndtri(power) - special.ndtri(self.alpha / self.sides)
        se = np.abs(delta) / (fixed * np.sqrt(self.inflation_factor * self.information_rates))
        bounds = self.efficacy_z
        if degrees_of_freedom is not None:
            raise_problems(find_problems(degrees_of_freedom=(degrees_of_freedom, POSITIVE)))
            bounds = -special.stdtrit(degrees_of_freedom, special.ndtr(-self.efficacy_z))
        return np.asarray(bounds * se)

    def conditional_power(self, look: int, z: Quantity, effect: Effect = 1.0) -> Quantity:
        """Return the probability to cross an efficacy bound at any later look.

        Lan & Wittes 1988 (Biometrics 44:579); stopping for futility at later looks counts.

        Parameters
        ----------
        look
            From 1; not the last.
        z
            Z at that look; one, or (n,).
        effect
            A multiple of the design effect, or "observed".
        """
        t = self._get_time(look, z)
        score = np.multiply(z, np.sqrt(t))
        if isinstance(effect, str):
            if effect != "observed":
                raise DesignError(f'effect must be a number or "observed", got "{effect}".')
            drift = score / t
        else:
            raise_problems(find_problems(effect=(effect, ANY)))
            drift = np.multiply(effect, self.drift)
        return self._look_ahead(look, score, Drift(drift[..., None]))

    def predictive_power(
        self, look: int, z: Quantity, prior: tuple[float, float] | None = None
    ) -> Quantity:
        """Return conditional power averaged over what is believed of the effect at this look.

        Spiegelhalter, Freedman & Blackburn 1986 (Control Clin Trials 7:8).

        Parameters
        ----------
        look, z
            As in `conditional_power`.
        prior
            Mean and standard deviation of the effect before the trial, in multiples of the design
            effect; None for a flat one.
        """
        t = self._get_time(look, z)
        believed = Drift(0.0, precision=0.0)
        if prior is not None:
            mean, sd = prior
            raise_problems(find_problems(prior_mean=(mean, ANY), prior_sd=(sd, POSITIVE)))
            raise_problems(find_benefit_problems(mean, sd))
            believed = Drift(mean * self.drift, precision=(sd * self.drift) ** -2)
        return self._look_ahead(look, np.multiply(z, np.sqrt(t)), believed)

    def infer(self, look: int, z: float, level: float | None = None) -> StoppedTrial:
        """Return what is reported of a trial that stopped at a look.

        Parameters
        ----------
        look
            From 1.
        z
            Z at that look.
        level
            Coverage of the intervals; 1 - 2 alpha / sides when None.
        """
        self._check_look(look, z, last_allowed=True)
        covered = 1 - 2 * self.alpha / self.sides if level is None else level
        stopped = infer(
            self.looks,
            look,
            z,
            lower=self._null_lower_z,
            upper=self.efficacy_z,
            level=self.alpha / self.sides,
            coverage=covered,
        )
        return stopped.rescale(self.drift)

    def adjust(
        self, observed_information: FloatArray | list[float], *, is_final: bool = False
    ) -> "GroupSequentialDesign":
        """Return the design at the information that the looks really had.

        Errors are spent at the information observed; boundaries that are no spending functions
        spend along straight lines between the planned looks. Futility bounds that were given as
        numbers or by a chance are no errors to spend: they stay, between looks on straight lines.
        Bounds of looks that have been held do
        not depend on those still to come. The design effect stays as planned, so power and drift
        change with the maximum.

        Parameters
        ----------
        observed_information
            At the looks held so far, as shares of the planned maximum; increasing. A value of 1 or
            more, or as many values as looks were planned, is the last look: it takes all that is
            left of alpha, whether the information falls short or overruns.
        is_final
            Whether the last value is the last look all the same.
        """
        self._refuse_correlation()
        looks, bounds, drift = respend(
            self.looks,
            alpha_spent=self.cumulative_alpha / self.sides,
            beta_spent=self.cumulative_beta,
            drift=self.drift,
            observed=observed_information,
            is_final=is_final,
        )
        return replace(
            self,
            information_rates=looks.rates,
            power=bounds.power,
            efficacy_z=bounds.upper,
            futility_z=bounds.lower,
            drift=drift,
            looks=looks,
        )

    def correlate(self, correlation: npt.ArrayLike) -> "GroupSequentialDesign":
        """Return the design with bounds that spend the same alpha at another correlation of Z.

        Increments are independent, Cov(Z_j, Z_k) = sqrt(t_j / t_k), for efficient estimators only.
        For others the correlation over looks is estimated, as by
        `trialsim.simulation.stopping.estimate_correlation`. The futility bounds and the mean of Z,
        which follows the standard errors, stay.

        Parameters
        ----------
        correlation
            Of Z over looks without an effect, (n_looks, n_looks).

        Raises
        ------
        DesignError
            No correlation matrix of that size.
        """
        problems = find_correlation_problems(correlation, self.n_looks)
        raise_problems(problems)
        matrix = np.asarray(correlation, dtype=float)
        upper = find_correlated_bounds(
            matrix, self.cumulative_alpha / self.sides, self._null_lower_z, self.sides
        )
        lower = -upper if self.sides == 2 else np.append(self.futility_z[:-1], upper[-1])
        moved = replace(
            self, correlation=matrix, efficacy_z=upper, futility_z=np.minimum(lower, upper)
        )
        return moved.at_drift(self.drift)

    def at_drift(self, drift: float) -> "GroupSequentialDesign":
        """Return the same bounds with the power that they have at another drift."""
        moved = replace(self, drift=drift)
        return replace(moved, power=float(moved.stop_probabilities().efficacy.sum()))

    def to_dict(self) -> dict[str, Any]:
        """Return every number as plain values, ready for JSON."""
        names = ("information_rates", "efficacy_z", "futility_z", "nominal_p")
        arrays = {name: getattr(self, name) for name in (*names, "cumulative_alpha")}
        arrays["cumulative_beta"] = self.cumulative_beta
        scalars = ("alpha", "sides", "power", "binding", "drift", "inflation_factor")
        finite = {
            name: [float(v) if np.isfinite(v) else None for v in values]
            for name, values in arrays.items()
        }
        return {name: getattr(self, name) for name in scalars} | finite

    @property
    def _null_lower_z(self) -> FloatArray:
        """Lower bounds that the type I error counts on."""
        counts = self.binding or self.sides == 2
        return self.futility_z if counts else np.full(self.n_looks, -np.inf)

    def _cross(self, lower: FloatArray, effect: Quantity) -> Crossings:
        drift = np.multiply(effect, self.drift)
        if self.correlation is None:
            return compute_crossings(
                self.information_rates, lower, self.efficacy_z, Drift(drift[..., None])
            )
        each = [
            compute_correlated_crossings(
                self.correlation, one * np.sqrt(self.information_rates), lower, self.efficacy_z
            )
            for one in np.atleast_1d(drift)
        ]
        above, below = np.array([one.above for one in each]), np.array([one.below for one in each])
        return Crossings(above, below) if drift.ndim else Crossings(above[0], below[0])

    def _get_time(self, look: int, z: Quantity) -> float:
        self._check_look(look, z, last_allowed=False)
        return float(self.information_rates[look - 1])

    def _refuse_correlation(self) -> None:
        if self.correlation is not None:
            raise DesignError(
                "Conditional power, inference after stopping and adjusted bounds need independent "
                "increments: ask the design without an estimated correlation."
            )

    def _check_look(self, look: int, z: Quantity, *, last_allowed: bool) -> None:
        self._refuse_correlation()
        last = self.n_looks if last_allowed else self.n_looks - 1
        problems = find_problems(z=(z, ANY))
        if look != int(look) or not 1 <= look <= last:
            what = "a look" if last_allowed else "a look before the last"
            problems.append(f"look must be {what} (1 to {last}), got {look}.")
        raise_problems(problems)

    def _look_ahead(self, look: int, score: FloatArray, drift: Drift) -> Quantity:
        crossings = compute_crossings(
            self.information_rates[look:],
            self.futility_z[look:],
            self.efficacy_z[look:],
            drift,
            start=(np.asarray(score)[..., None], float(self.information_rates[look - 1])),
        )
        return simplify(crossings.above.sum(axis=-1))
