"""What is known of the people of each choice at any month: mean decline, covariance of visits.

Lines that differ between people, with noise, are fitted to the visits that there are; they say what
a schedule with other visits would see. People chosen by a run-in are those of everyone less what
the choice takes from their spread.
"""

from dataclasses import dataclass, replace

import numpy as np

from trialsim.analysis.result import Floats
from trialsim.simulation.outcomes import GrowthModel


@dataclass(frozen=True)
class Courses:
    """The people of many choices.

    Attributes
    ----------
    times
        Months of the visits behind `true_change`, (n_visits,).
    true_change
        Mean change of the true volume at each of them, (n_choices, n_visits).
    covariance
        Of intercept and slope a month given the score, (n_choices, 2, 2).
    residual_variance
        Of the noise of a visit, (n_choices,).
    loading
        What the score adds to intercept and slope, (n_choices, 2).
    score_variance
        (n_choices,); 0 where there is no score.
    taken
        Square root of what a run-in takes from the covariance of the visits: of intercept, slope,
        noise of the first visit, (n_choices, 3); 0 without one.
    """

    times: Floats
    true_change: Floats
    covariance: Floats
    residual_variance: Floats
    loading: Floats
    score_variance: Floats
    taken: Floats

    @classmethod
    def of(cls, model: GrowthModel) -> "Courses":
        """Return those of one choice."""
        return cls(
            model.times,
            model.compute_expectations().true_change[None],
            model.covariance[None],
            np.array([model.residual_variance]),
            np.array([[model.score_intercept, model.score_slope]]),
            np.array([float(np.var(model.scores))]),
            np.zeros((1, 3)),
        )

    @classmethod
    def join(cls, parts: "list[Courses]") -> "Courses":
        """Return the choices of all parts, in their order."""
        names = ("true_change", "covariance", "residual_variance", "loading", "score_variance")
        joined = {
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in (*names, "taken")
        }
        return replace(parts[0], **joined)

    def expect_change(self, month: float) -> Floats:
        """Return the mean true change from baseline to a month, (n_choices,), between visits."""
        after = int(np.clip(np.searchsorted(self.times, month), 1, len(self.times) - 1))
        start, end = self.times[after - 1], self.times[after]
        share = (month - start) / (end - start)
        before = self.true_change[:, after - 1]
        return np.asarray(before + share * (self.true_change[:, after] - before))

    def build_covariance(self, times: Floats) -> Floats:
        """Return the covariance of outcomes, then score, (n_choices, n_visits + 1, n_visits + 1).

        Parameters
        ----------
        times
            Months of the visits after randomization, from 0, (n_visits,).
        """
        n_visits = len(times)
        lines = np.column_stack([np.ones(n_visits), times])
        shared = self.loading @ lines.T * self.score_variance[:, None]
        found = np.zeros((len(self.loading), n_visits + 1, n_visits + 1))
        visits = lines @ self.covariance @ lines.T
        visits = visits + self.residual_variance[:, None, None] * np.eye(n_visits)
        visits = visits + shared[:, :, None] * (self.loading @ lines.T)[:, None, :]
        gone = self.taken[:, :2] @ lines.T
        gone[:, 0] += self.taken[:, 2]
        found[:, :-1, :-1] = visits - gone[:, :, None] * gone[:, None, :]
        found[:, -1, :-1] = found[:, :-1, -1] = shared
        found[:, -1, -1] = self.score_variance
        return found
