"""Errors of this room; the whole tree is drawn in `cohorts.errors`."""

from cohorts.errors import TrialsimError


class DesignError(TrialsimError):
    """A trial design, a strategy or a simulation cannot be computed as asked."""


class ClusterError(TrialsimError):
    """Workers on other machines or processes cannot be had, or were lost."""
