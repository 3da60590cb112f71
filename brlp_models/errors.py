"""Errors of this room; the whole tree is drawn in `cohorts.errors`."""

from cohorts.errors import TrialsimError


class ModelError(TrialsimError):
    """A model folder, a scan or a prediction cannot be used as asked."""
