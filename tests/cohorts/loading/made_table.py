"""A table of people seen twice."""

import numpy as np
import pandas as pd

TABLES = ("participants", "visits", "volumes")


def make_table(n_people: int = 6) -> pd.DataFrame:
    rng = np.random.default_rng(4)
    people = np.repeat([f"sub-{i:02d}" for i in range(n_people)], 2)
    visit = np.tile([0, 1], n_people)
    left, right = rng.uniform(3000, 3600, (2, 2 * n_people)).round(1)
    return pd.DataFrame(
        {
            "participant_id": people,
            "session_id": [f"ses-{i + 1}" for i in visit],
            "age_years": np.repeat(rng.uniform(60, 80, n_people).round(2), 2) + visit,
            "sex": np.repeat(["F", "M"], n_people),
            "diagnosis": np.tile(["MCI", "AD"], n_people),
            "left_hippocampus_mm3": left,
            "right_hippocampus_mm3": right,
        }
    )
