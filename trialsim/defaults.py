"""The defaults of a comparison: the protocol, the commands and the functions take these."""

from typing import Final

SEED: Final = 20260101
FRACTIONS_ENROLLED: Final = (0.3, 0.5, 0.75, 1.0)
SAMPLE_SIZES: Final = (50, 100, 150, 200, 300, 400, 500, 600)
N_SIMULATIONS: Final = 2000
N_BOOTSTRAP: Final = 500
WORKERS: Final = 1
N_FOLDS: Final = 5
LAST_MONTH: Final = 600
"""The last month after baseline that is taken."""
