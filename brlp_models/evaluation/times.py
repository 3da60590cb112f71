"""How long each method takes."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pandas as pd


@dataclass
class MethodTimes:
    """Processor time by method, as it is spent.

    Scans that an earlier method brought onto the grid are not brought there again, so the model's
    time has the preprocessing in it and that of other readers of scans has not.
    """

    rows: list[dict[str, object]] = field(default_factory=list)

    @contextmanager
    def measure(self, method: str, n_people: int, *, includes: str = "") -> Iterator[None]:
        """Add the block's processor time; nothing where it was for nobody.

        Parameters
        ----------
        method
            Whose.
        n_people
            For how many people the block predicts.
        includes
            What else it does, such as fitting.
        """
        start = time.process_time()
        yield
        seconds = time.process_time() - start
        if n_people:
            self.rows.append(
                {
                    "method": method,
                    "cpu_seconds_a_person": seconds / n_people,
                    "n": n_people,
                    "includes": includes,
                }
            )

    def tabulate(self) -> pd.DataFrame:
        """Return `method`, `cpu_seconds_a_person`, `n`, `includes`."""
        return pd.DataFrame(self.rows, columns=["method", "cpu_seconds_a_person", "n", "includes"])
