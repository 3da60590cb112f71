"""Trials as the arrays that estimators take: one that was run, or thousands that were simulated."""

from dataclasses import dataclass

from trialsim.analysis.result import Floats
from trialsim.errors import DesignError


@dataclass(frozen=True)
class TrialArrays:
    """Outcomes of trials of one size, with what was known at baseline.

    Attributes
    ----------
    outcome
        (n_trials, n, n_visits), the baseline first, NaN where missing.
    treatment
        0 control, 1 treatment, (n,).
    months
        (n_visits,), 0 first.
    covariates
        (n_trials, n, q).
    twin, twin_sd
        Predicted outcomes at the visits after baseline and the sd of their errors, (n_trials, n,
        n_visits - 1); None where there are none.
    """

    outcome: Floats
    treatment: Floats
    months: Floats
    covariates: Floats
    twin: Floats | None = None
    twin_sd: Floats | None = None

    @property
    def last(self) -> Floats:
        """Outcome at the last visit, (n_trials, n)."""
        return self.outcome[..., -1]

    @property
    def predicted(self) -> Floats:
        """Return the twins' predictions.

        Raises
        ------
        DesignError
            Where there are none.
        """
        if self.twin is None:
            raise DesignError("These trials have no twins.")
        return self.twin

    @property
    def sd(self) -> Floats:
        """Return the sd of the twins' errors.

        Raises
        ------
        DesignError
            Where it is not told.
        """
        if self.twin_sd is None:
            raise DesignError("The twins of these trials have no sd.")
        return self.twin_sd
