"""The metrics of a training run, as a CSV file and for TensorBoard."""

import csv
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from torch.utils.tensorboard import SummaryWriter

METRICS = "metrics.csv"


class MetricsLog:
    """Writes one row a step; rows of steps that a resumed run repeats are dropped first.

    Parameters
    ----------
    folder
        Gets `metrics.csv` (step, metric, value) and TensorBoard's event files.
    first_step
        The step that this run begins with.
    enabled
        False on every process but the main one.
    """

    def __init__(self, folder: Path, *, first_step: int, enabled: bool = True) -> None:
        self._rows: list[tuple[int, str, float]] = []
        self._enabled = enabled
        if not enabled:
            return
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / METRICS
        self._drop_repeated(first_step)
        self._board = SummaryWriter(log_dir=str(folder), purge_step=first_step)

    def __enter__(self) -> "MetricsLog":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._enabled:
            self.flush()
            self._board.close()

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        """Record the metrics of a step."""
        if not self._enabled:
            return
        for name, value in metrics.items():
            self._rows.append((step, name, value))
            self._board.add_scalar(name, value, step)

    def flush(self) -> None:
        """Bring everything to disk."""
        with self._path.open("a", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows(self._rows)
        self._rows.clear()
        self._board.flush()

    def _drop_repeated(self, first_step: int) -> None:
        kept = []
        if self._path.exists():
            with self._path.open(newline="", encoding="utf-8") as stream:
                kept = [row for row in csv.reader(stream) if row and row[0].isdigit()]
        with self._path.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(("step", "metric", "value"))
            writer.writerows(row for row in kept if int(row[0]) < first_step)
