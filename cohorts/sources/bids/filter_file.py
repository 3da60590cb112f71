"""The file that says which images and label maps of a BIDS dataset are taken, as fMRIPrep's."""

import json
from collections.abc import Mapping
from pathlib import Path

from cohorts.errors import CohortError
from cohorts.sources.bids.files import Filter


def read_bids_filters(path: Path) -> Mapping[str, Filter]:
    """Return the entities that a filter file asks for, by kind of file.

    Raises
    ------
    CohortError
        Where the file is no JSON object of objects, or speaks of neither t1w nor dseg.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise CohortError(f"{path} could not be read: {error.strerror}.") from error
    except ValueError as error:
        raise CohortError(f"{path} could not be read as JSON: {error}.") from error
    kinds = ("t1w", "dseg")
    if not isinstance(content, dict) or not all(
        isinstance(content.get(k, {}), dict) for k in kinds
    ):
        raise CohortError(f'{path} must be an object like {{"t1w": {{"acquisition": "highres"}}}}.')
    if not set(kinds) & set(content):
        raise CohortError(f"{path} must say something of t1w or dseg, got {', '.join(content)}.")
    return {kind: content[kind] for kind in kinds if kind in content}
