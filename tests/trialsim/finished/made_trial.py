"""A finished trial in which treatment and twins are known, and ways to spoil it."""

from collections.abc import Callable

import numpy as np
import pandas as pd

MONTHS = np.array([0.0, 6, 12, 24])


def simulate(n: int = 120, seed: int = 20260101) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A treatment that saves 3 mm3 a month; twins that know half of each person's slope."""
    rng = np.random.default_rng(seed)
    ids = np.array([f"p{i:03d}" for i in range(n)])
    arm = np.arange(n) % 2
    age = rng.normal(73, 7, n)
    known = rng.normal(size=n)
    base = 7000 + 600 * rng.normal(size=n) - 10 * (age - 73)
    slope = -9 - 4 * known + 3 * arm + 3 * rng.normal(size=n)
    volume = base[:, None] + slope[:, None] * MONTHS + 70 * rng.normal(size=(n, 4))
    stays = rng.exponential(90, n)[:, None] >= MONTHS
    long = pd.DataFrame(
        {
            "participant_id": np.repeat(ids, 4),
            "arm": np.repeat(np.where(arm == 1, "treatment", "control"), 4),
            "months": np.tile(MONTHS, n),
            "hippocampus_mm3": volume.ravel(),
            "age_years": np.repeat(age, 4),
            "sex": np.repeat(np.where(rng.random(n) < 0.5, "F", "M"), 4),
        }
    )
    predicted = volume[:, :1] + (-9 - 4 * known)[:, None] * MONTHS
    twins = pd.DataFrame(
        {
            "participant_id": np.repeat(ids, 4),
            "months": np.tile(MONTHS, n),
            "predicted_mm3": predicted.ravel(),
            "sd_mm3": np.repeat(60 + 20 * np.abs(known), 4),
        }
    )
    return long[stays.ravel()].sample(frac=1, random_state=1), twins


Change = Callable[[pd.DataFrame], object]


def set_first(column: str, value: object, *, place: int = 0) -> Change:
    def change(long: pd.DataFrame) -> pd.DataFrame:
        first = long.sort_values(["participant_id", "months"]).index[place]
        changed = long.astype({column: object})
        changed.loc[first, column] = value
        return changed

    return change
