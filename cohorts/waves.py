"""Tables with one row a person, whose waves lie in columns."""

import pandas as pd

from cohorts.columns import WAVE


def split_waves(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Turn columns of waves into visits.

    Parameters
    ----------
    frame
        One row a person; columns such as `age_years_W1`, `age_years_W2`, `MMSE_W1`.

    Returns
    -------
    frame
        One row per person and wave, with `session_id` (`W1`) and one column for each measurement;
        columns without a wave are repeated. The input where it has fewer than two waves.
    waves
        The session names, in order; empty where there are none.
    """
    columns = {name: match for name in frame if (match := WAVE.match(str(name)))}
    numbers = sorted({int(match[2]) for match in columns.values()})
    if len(numbers) < 2:
        return frame, []
    common = frame.drop(columns=list(columns))
    waves = [
        common.assign(
            session_id=f"W{number}",
            **{m[1]: frame[name] for name, m in columns.items() if int(m[2]) == number},
        )
        for number in numbers
    ]
    long = pd.concat(waves).sort_index(kind="stable").reset_index(drop=True)
    return long, [f"W{number}" for number in numbers]
