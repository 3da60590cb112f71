"""How many faults are tried, told at the end; `FAULTS` multiplies the number, 1 by default."""

import os
from collections import Counter

import pytest


@pytest.fixture(scope="session")
def share() -> float:
    """Return the factor on the number of faults of each kind."""
    return float(os.environ.get("FAULTS", "1"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell how many faults of each kind the tests recorded."""
    counts: Counter[str] = Counter()
    for report in terminalreporter.getreports("passed"):
        counts.update(dict(report.user_properties))
    told = ", ".join(f"{counts[kind]} {kind}" for kind in sorted(counts))
    terminalreporter.write_line(f"faults: {told or 'none counted'}")
