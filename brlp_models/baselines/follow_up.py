"""Baselines that make the image of a later visit.

Each takes the scans that a prediction may see, the baseline table, and when the later visit is, and
gives an image; regions are measured in it by the model folder's own segmenter, as a ratio to what
the same segmenter measures in the image that it started from.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from brlp_models.baselines.config import BaselineConfig, ImageName
from brlp_models.errors import ModelError
from brlp_models.model.model import BrlpModel
from brlp_models.model.threads import limited_threads
from brlp_models.prediction.start import People, find_start_visit, load_start_scan
from brlp_models.scans.cache import ScanCache
from brlp_models.scans.grid import Grid
from brlp_models.scans.segmentation import Segmenter, choose_segmenter
from cohorts.cohort import Cohort
from cohorts.counting import tally
from cohorts.errors import TrialsimError


@dataclass(frozen=True)
class TimedScan:
    """A scan on the model's grid.

    Parameters
    ----------
    months
        After baseline.
    image
        (1, *shape), intensities 0 to 1.
    """

    months: float
    image: Tensor


@dataclass(frozen=True)
class FollowUp:
    """A predicted scan, (1, *shape), 0 to 1.

    Parameters
    ----------
    image
        What the person is expected to look like.
    measured, reference
        In which images the regions' change is measured: the later over the earlier, which went the
        same way, so that what that way does to a volume cancels.
    """

    image: Tensor
    measured: Tensor
    reference: Tensor


class Maker(Protocol):
    """What predicts a follow-up image."""

    def predict(
        self, model: BrlpModel, scans: Sequence[TimedScan], table: pd.DataFrame, months: float
    ) -> FollowUp:
        """Return the image of a later visit.

        Parameters
        ----------
        model
            On whose grid the scans lie.
        scans
            As many as `ImageConfig.n_scans`, in time.
        table
            What is known of the person at baseline (`Cohort.baseline`), one row.
        months
            After baseline, later than the last scan.
        """
        ...


class ImageConfig(BaselineConfig):
    """What is said of a baseline that makes images.

    Parameters
    ----------
    n_scans
        Of how many visits; the latest that may be seen.
    """

    name: ImageName
    n_scans: int = 1


@dataclass(frozen=True)
class ImageBaseline:
    """A predictor of a later scan.

    Parameters
    ----------
    config
        What it is.
    maker
        Predicts.
    folder
        Where it was read from; None for one that was not written, or needs no folder.
    """

    config: ImageConfig
    maker: Maker
    folder: Path | None = None

    def predict(
        self, model: BrlpModel, scans: Sequence[TimedScan], table: pd.DataFrame, months: float
    ) -> FollowUp:
        """Return the image of a later visit; see `Maker.predict`.

        Raises
        ------
        ModelError
            Where there are too few scans, the later visit is not later, or the grid is another.
        """
        n = self.config.n_scans
        if len(scans) < n:
            raise ModelError(
                f"{self.config.name} needs scans of {tally(n, 'visits')} before the predicted one, "
                f"got {len(scans)}."
            )
        own = scans[-n:]
        if months <= own[-1].months:
            raise ModelError(
                f"{self.config.name} predicts what comes after its last scan, "
                f"month {own[-1].months:g}, not month {months:g}."
            )
        grid = self.config.get_grid()
        if grid is not None and grid != Grid.of_config(model.config):
            raise ModelError(
                f"{self.config.name} reads scans on another grid than that of the model "
                f"{model.config.name}."
            )
        with limited_threads(1), torch.inference_mode():
            return self.maker.predict(model, own, table, months)


def measure_ratios(segmenter: Segmenter, found: FollowUp, name: str) -> Mapping[str, float]:
    """Return each region's predicted volume over that at the start; NaN where it was absent."""
    with limited_threads(1):
        later, start = segmenter.measure(
            torch.stack([found.measured, found.reference]).clamp(0, 1), [f"{name} later", name]
        )
    return {
        region: volume / start[region] if start.get(region, 0) > 0 else float("nan")
        for region, volume in later.items()
    }


def predict_image_changes(
    baseline: ImageBaseline,
    model: BrlpModel,
    cohort: Cohort,
    cache: ScanCache,
    horizons_months: Sequence[float],
    *,
    until_months: float = 0.0,
) -> Iterator[tuple[str, list[float] | str]]:
    """Yield each person with the percent change of the model's endpoint at each horizon.

    The change is that since the last scan, or it is said in a sentence why there is none.

    Parameters
    ----------
    baseline, model
        What predicts, and measures.
    cohort
        The people.
    cache
        Of preprocessed scans.
    horizons_months
        After baseline.
    until_months
        The latest visit that may be seen.
    """
    segmenter, people, table = choose_segmenter(model), People(cohort), cohort.baseline()
    for name in cohort.participants["participant_id"].astype(str):
        try:
            scans = _load_scans(baseline, model, people.select(name), name, cache, until_months)
            row = table[table.index == name]
            found = [baseline.predict(model, scans, row, months) for months in horizons_months]
            ratios = [measure_ratios(segmenter, own, name) for own in found]
        except TrialsimError as error:
            yield name, " ".join(error.problems)
        else:
            endpoint = model.config.endpoint
            yield name, [100 * (own.get(endpoint, np.nan) - 1) for own in ratios]


def _load_scans(
    baseline: ImageBaseline,
    model: BrlpModel,
    own: Cohort,
    name: str,
    cache: ScanCache,
    until_months: float,
) -> list[TimedScan]:
    visits = own.until(until_months).visits
    n_seen, n = int(visits["image_path"].notna().sum()), baseline.config.n_scans
    if n_seen < n:
        raise ModelError(
            f"{name} has scans of {n_seen} visit{'' if n_seen == 1 else 's'} up to month "
            f"{until_months:g}; "
            f"{baseline.config.name} needs {n}."
        )
    scans: list[TimedScan] = []
    for _ in range(n):
        visit = find_start_visit(own, name, until_months=until_months)
        with limited_threads(1):
            image = load_start_scan(model, own, visit, cache).image
        scans.insert(0, TimedScan(visit.months, image))
        until_months = float(np.nextafter(visit.months, -np.inf))
    return scans
