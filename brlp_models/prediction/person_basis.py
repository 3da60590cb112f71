"""What one person's results stand on, beside the settings, in digests.

Results are kept by a person's name, and another cohort may have another person of that name: an
archive that comes after the first, other scans, corrected tables.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from brlp_models.errors import ModelError, ScanError
from brlp_models.model.model import BrlpModel
from brlp_models.prediction.start import StartVisit, find_start_visit, list_start_scans
from brlp_models.scans.cache import digest_files
from brlp_models.scans.placing import add_channels
from cohorts.cohort import Cohort

_DETERMINANT: Final = "determinant"
_DIGESTS: Final = ("scans", "tables")
_PATHS: Final = ["image_path", "segmentation_path"]


@dataclass(frozen=True)
class PersonBasis:
    """What one person's results stand on.

    Parameters
    ----------
    determinant
        What the starting visit states of its scan.
    scans
        Digest of the files that are read; None where they cannot be read any more.
    tables
        Digest of what is known of the person up to the start; None where no visit can be one.
    """

    determinant: float | None = None
    scans: str | None = None
    tables: str | None = None

    def describe(self) -> dict[str, Any]:
        """Return what is kept of it beside the results."""
        return {name: value for name, value in vars(self).items() if value is not None}

    def fits(self, kept: Mapping[str, Any]) -> bool:
        """Return whether results that are kept stand on the same, as far as both are known."""
        if kept.get(_DETERMINANT) != self.determinant:
            return False
        pairs = [(kept.get(name), getattr(self, name)) for name in _DIGESTS]
        return all(None in pair or pair[0] == pair[1] for pair in pairs)


def find_basis(model: BrlpModel, person: Cohort, *, until_months: float) -> PersonBasis:
    """Return what the results of a cohort of one stand on.

    Parameters
    ----------
    model
        Its channels say which files are read.
    person
        Where the files lie does not count, and no visit after `until_months`.
    until_months
        As in `predict_cohort`.
    """
    (name,) = person.participants["participant_id"].astype(str)
    try:
        start = find_start_visit(person, name, until_months=until_months)
    except ModelError:
        return PersonBasis()
    return PersonBasis(
        start.determinant, _digest_scans(model, person, start), _digest_tables(person, until_months)
    )


def _digest_scans(model: BrlpModel, person: Cohort, start: StartVisit) -> str | None:
    *first, last = list_start_scans(person, start)
    try:
        return digest_files([*first, add_channels(last, model.config.channels)])
    except ScanError:
        return None


def _digest_tables(person: Cohort, until_months: float) -> str:
    known = person.until(until_months)
    tables = (known.participants, known.visits.drop(columns=_PATHS), known.volumes)
    texts = (table.sort_index(axis="columns").to_csv(index=False) for table in tables)
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()
