"""A finished trial with twins."""

import pandas as pd
import pytest

from tests.trialsim.finished.made_trial import simulate


@pytest.fixture(scope="module")
def tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    return simulate()
