"""How many faults are tried; `FAULTS` multiplies the number, 1 by default."""

import os

import pytest


@pytest.fixture(scope="session")
def share() -> float:
    """Return the factor on the number of faults of each kind."""
    return float(os.environ.get("FAULTS", "1"))
