"""Errors of this room; the whole tree is drawn in `cohorts.errors`."""

from cohorts.errors import TrialsimError


class ReportError(TrialsimError):
    """A study file, a figure or a page cannot be read or written as asked."""
