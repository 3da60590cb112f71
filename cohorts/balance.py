"""In which covariates weights leave two groups different."""

from typing import Final

import pandas as pd

ALIKE_WITHIN: Final = 0.1
"""Difference in standard deviations up to which groups are alike in a covariate (Austin 2009)."""


def find_unlike(balance: pd.DataFrame) -> pd.Series:
    """Return the largest difference that weights leave in each covariate that is not alike.

    Parameters
    ----------
    balance
        The table `archive_balance`.

    Examples
    --------
    >>> table = {"covariate": ["age_years", "is_mci"], "difference_weighted": [0.01, -0.97]}
    >>> find_unlike(pd.DataFrame(table)).to_dict()
    {'is_mci': 0.97}
    """
    left = balance["difference_weighted"].abs().groupby(balance["covariate"], sort=False).max()
    return left[left > ALIKE_WITHIN]
