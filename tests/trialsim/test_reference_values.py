"""The closed forms agree with longpower, rpact, gsDesign, BioPET, lrstat, powerlmm and R.

The values are read from a folder beside the project; each record either maps to a function or is
listed in `NOT_MAPPED` with the reason.
"""

from typing import Any

import numpy as np
import pytest

from tests.trialsim import reference_adaptive, reference_fixed, reference_looks, reference_repeated
from tests.trialsim.reference_records import RECORDS, Outputs

MAPPED = (
    reference_repeated.MAPPED
    | reference_fixed.MAPPED
    | reference_looks.MAPPED
    | reference_adaptive.MAPPED
)

NOT_MAPPED = {
    "pg-one": "one-sample test; every trial here has two arms",
    "dropout-inflate": "arithmetic that ignores what drop-outs were seen for",
    "mcse": "Monte Carlo error, part of the simulation",
    "clopper": "Monte Carlo error, part of the simulation",
    "wilson": "Monte Carlo error, part of the simulation",
    "guenther": "an approximation of the exact noncentral t, which `ancova` computes",
    "statpsych-ancova-2": (
        "an approximation that adds z^2/4 + 1 per arm at every allocation: 46.03, rounded to 47; "
        "the exact n is 45.06, rounded to 46"
    ),
    "plausibility": "a published estimate whose standard deviation is not printed",
}


def find(table: dict[str, Any], identifier: str) -> Any:
    prefixes = [prefix for prefix in table if identifier.startswith(prefix)]
    return table[max(prefixes, key=len)] if prefixes else None


MAPPED_IDS = [identifier for identifier in RECORDS if find(MAPPED, identifier)]

needs_records = pytest.mark.skipif(not RECORDS, reason="no reference values beside the project")


def tolerance(kind: str, value: Any) -> dict[str, float]:
    if kind == "exact":
        return {"rel": 0, "abs": 0}
    # The outputs are printed with 10 decimals.
    return {"rel": value, "abs": 1e-10} if kind == "relative" else {"rel": 0, "abs": value}


@needs_records
@pytest.mark.parametrize("identifier", MAPPED_IDS)
def test_closed_form_agrees_with_reference(identifier: str) -> None:
    record = RECORDS[identifier]
    computed = find(MAPPED, identifier)(record["inputs"])
    assert computed.keys() & record["outputs"].keys()
    compare(computed, record["outputs"], tolerance(**record["tolerance"]))


def compare(computed: Outputs, reference: Outputs, allowed: dict[str, float]) -> None:
    for name in computed.keys() & reference.keys():
        if isinstance(reference[name], dict):
            compare(computed[name], reference[name], allowed)
            continue
        listed = isinstance(reference[name], list)
        expected = np.array(reference[name]) if listed else reference[name]
        found = np.array(computed[name]) if listed else computed[name]
        assert found == pytest.approx(expected, **allowed), name


@needs_records
def test_at_least_60_records_map() -> None:
    assert len(MAPPED_IDS) >= 60


@needs_records
def test_every_record_maps_or_says_why_not() -> None:
    for identifier in RECORDS:
        assert bool(find(MAPPED, identifier)) != bool(find(NOT_MAPPED, identifier)), identifier
