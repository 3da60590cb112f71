"""What a protocol states in place of what nobody measured: a decline, how a prediction errs."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields

import numpy as np

from cohorts.counting import tally

__all__ = ["AssumedDecline", "StatedCalibration"]


@dataclass(frozen=True)
class AssumedDecline:
    """Decline of untreated people from the literature; keys of the protocol's `[design.assumed]`.

    Everything is in the unit of the endpoint and of measured values, as papers give them.

    Attributes
    ----------
    decline_mean, decline_sd
        Of the loss from baseline to the last visit, above 0.
    baseline_sd
        Of the endpoint at baseline, above 0.
    baseline_correlation
        Of the baseline with the loss, -1 to 1.
    noise_sd
        Of the error of one measurement, 0 or more.
    score_correlation
        Of a strategy's score with the loss, -1 to 1: one for every strategy, or one by name.
    """

    decline_mean: float | None = None
    decline_sd: float | None = None
    baseline_sd: float | None = None
    baseline_correlation: float | None = None
    noise_sd: float | None = None
    score_correlation: float | Mapping[str, float] | None = None

    def list_lacking(self) -> list[str]:
        """Return the names of the numbers that are not stated."""
        return [one.name for one in fields(self) if getattr(self, one.name) is None]

    def find_problems(self) -> list[str]:
        """Return one sentence for each number that cannot be."""
        above = ("decline_mean", "decline_sd", "baseline_sd")
        problems = [
            f"assumed.{name} must be greater than 0, got {value:g}."
            for name in above
            if (value := getattr(self, name)) is not None and not 0 < value < math.inf
        ]
        if self.noise_sd is not None and not 0 <= self.noise_sd < math.inf:
            problems.append(f"assumed.noise_sd must be 0 or more, got {self.noise_sd:g}.")
        problems += [
            f"assumed.{name} must lie between -1 and 1, got {value:g}."
            for name, value in self._list_correlations()
            if not -1 <= value <= 1
        ]
        return problems or list(self._find_contradictions())

    def get_correlation(self, strategy: str) -> float | None:
        """Return the correlation of a strategy's score with the loss; None where none is stated."""
        stated = self.score_correlation
        return stated.get(strategy) if isinstance(stated, Mapping) else stated

    def _list_correlations(self) -> Iterator[tuple[str, float]]:
        if self.baseline_correlation is not None:
            yield "baseline_correlation", self.baseline_correlation
        if isinstance(self.score_correlation, Mapping):
            yield from (
                (f"score_correlation.{name}", value)
                for name, value in self.score_correlation.items()
            )
        elif self.score_correlation is not None:
            yield "score_correlation", self.score_correlation

    def _find_contradictions(self) -> Iterator[str]:
        noise, decline, baseline = self.noise_sd, self.decline_sd, self.baseline_sd
        if noise is None or decline is None or baseline is None:
            return
        if 2 * noise**2 > decline**2:
            yield (
                f"assumed: two measurements with an error of {noise:g} differ by "
                f"{math.sqrt(2) * noise:.3g} on their own, more than decline_sd {decline:g}."
            )
            return
        if noise > baseline:
            yield f"assumed: noise_sd {noise:g} is larger than baseline_sd {baseline:g}."
            return
        latent = math.sqrt(decline**2 - 2 * noise**2)
        true_baseline = math.sqrt(baseline**2 - noise**2)
        if self.baseline_correlation is not None:
            shared = self.baseline_correlation * baseline * decline - noise**2
            if abs(shared) > latent * true_baseline * (1 + 1e-9):
                yield (
                    f"assumed: with noise_sd {noise:g} no baseline can correlate with decline as "
                    f"much as {self.baseline_correlation:g}."
                )
        for name, value in self._list_correlations():
            if name != "baseline_correlation" and abs(value) * decline > latent * (1 + 1e-9):
                yield (
                    f"assumed.{name} {value:g}: no score can know measurement error, so that with "
                    f"noise_sd {noise:g} it is at most {latent / decline:.2f}."
                )


@dataclass(frozen=True)
class StatedCalibration:
    """How true decline follows a predicted one; keys of the protocol's `[design.calibration]`.

    Decline = intercept x months / months of the last visit + slope x predicted decline + error.

    Attributes
    ----------
    slope
        1, a prediction that is right on average, when None.
    intercept
        At the last visit, in the unit of the endpoint; 0 when None.
    error_covariance
        Of the measured visits after baseline around the calibrated prediction, in the unit of the
        endpoint squared; what the prediction's own standard deviations say when None.
    """

    slope: float | None = None
    intercept: float | None = None
    error_covariance: tuple[tuple[float, ...], ...] | None = None

    def __post_init__(self) -> None:
        if self.error_covariance is not None:
            rows = tuple(tuple(float(value) for value in row) for row in self.error_covariance)
            object.__setattr__(self, "error_covariance", rows)

    @property
    def is_stated(self) -> bool:
        """Whether anything is stated."""
        return any(getattr(self, one.name) is not None for one in fields(self))

    def find_problems(self, n_later_visits: int) -> list[str]:
        """Return one sentence for each value that cannot be."""
        if self.error_covariance is None:
            return []
        rows = self.error_covariance
        if len(rows) != n_later_visits or any(len(row) != n_later_visits for row in rows):
            return [
                f"calibration.error_covariance must have {tally(n_later_visits, 'rows')} of "
                f"{n_later_visits} numbers, one for each visit after baseline."
            ]
        matrix = np.array(rows)
        if not np.allclose(matrix, matrix.T) or np.linalg.eigvalsh(matrix)[0] < -1e-9:
            return ["calibration.error_covariance is no covariance: it is not symmetric, or some "
                    "combination of visits has a negative variance."]  # fmt: skip
        return []
