"""Pairs of visits, with the context of the later one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from brlp_models.model.config import ContextEntry, ModelConfig
from brlp_models.model.context import encode_context


@dataclass(frozen=True)
class VisitPairs:
    """What the diffusion learns from.

    Parameters
    ----------
    rows
        (n, 2): bank rows of the earlier and the later visit; the same row twice for single visits.
    values
        The context's raw values of each pair, one column per entry.
    baseline_age_years
        Age at the earlier visit, (n,).
    """

    rows: npt.NDArray[np.int64]
    values: pd.DataFrame
    baseline_age_years: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.rows)

    def encode_context(
        self, chosen: npt.NDArray[np.int64], entries: Sequence[ContextEntry]
    ) -> Tensor:
        """Return the coded context (B, 1, entries) of the chosen pairs.

        Parameters
        ----------
        chosen
            Which pairs.
        entries
            The model's context.
        """
        return encode_context(entries, self.values.iloc[chosen])


def build_visit_pairs(index: pd.DataFrame, config: ModelConfig) -> VisitPairs:
    """Return every pair of an earlier and a later visit of a person.

    Parameters
    ----------
    index
        A bank's index by row: `participant_id`, `age_years`, `sex`, `diagnosis` (at baseline),
        `<region>_mm3` of each region that the context names, and its other covariates.
    config
        Its context says which columns are needed.

    Returns
    -------
    VisitPairs
        Visits of the same age are no pair.
    """
    visits = index.reset_index().sort_values(["participant_id", "age_years"])
    joined = visits.merge(visits, on="participant_id", suffixes=("", "_later"))
    joined = joined[joined["age_years"] < joined["age_years_later"]].reset_index(drop=True)
    values = pd.DataFrame(
        {entry.name: _find_values(entry.name, joined) for entry in config.context}
    )
    for region in name_regions(config):
        values[f"volume:{region}"] = joined[f"{region}_mm3_later"]
    rows = joined[["row", "row_later"]].to_numpy(dtype=np.int64)
    return VisitPairs(rows, values, joined["age_years"].to_numpy(dtype=float))


def build_single_visits(index: pd.DataFrame, config: ModelConfig) -> VisitPairs:
    """Return every visit as a pair with itself, for the UNet on its own."""
    visits = index.reset_index()
    joined = visits.join(visits.add_suffix("_later"))
    values = pd.DataFrame(
        {entry.name: _find_values(entry.name, joined) for entry in config.context}
    )
    for region in name_regions(config):
        values[f"volume:{region}"] = joined[f"{region}_mm3_later"]
    rows = joined[["row", "row_later"]].to_numpy(dtype=np.int64)
    return VisitPairs(rows, values, joined["age_years"].to_numpy(dtype=float))


def as_age_plane(age_years: npt.NDArray[np.float64], config: ModelConfig) -> Tensor:
    """Return the coded baseline age as a plane on the padded latent, (B, 1, *shape)."""
    low, high = config.baseline_age_range
    coded = torch.as_tensor((age_years - low) / (high - low), dtype=torch.float32)
    return coded.view(-1, 1, 1, 1, 1).expand(-1, 1, *config.padded_latent_shape)


def name_regions(config: ModelConfig) -> list[str]:
    """Return the regions whose volumes the context holds."""
    names = (entry.name.partition(":") for entry in config.context)
    return sorted({region for _, colon, region in names if colon})


def list_context_covariates(config: ModelConfig) -> list[ContextEntry]:
    """Return the context's entries that are read in people's tables as they are."""
    return [entry for entry in config.context if ":" not in entry.name and entry.name not in _TIMES]


_TIMES = ("age", "baseline_age", "interval")


def _find_values(name: str, joined: pd.DataFrame) -> pd.Series:
    kind, colon, region = name.partition(":")
    if not colon:
        return _find_plain_values(name, joined)
    earlier, later = joined[f"{region}_mm3"], joined[f"{region}_mm3_later"]
    return {"volume": later, "baseline": earlier, "change": later - earlier}[kind]


def _find_plain_values(name: str, joined: pd.DataFrame) -> pd.Series:
    if name == "age":
        return joined["age_years_later"]
    if name == "baseline_age":
        return joined["age_years"]
    if name == "interval":
        return joined["age_years_later"] - joined["age_years"]
    return joined[name]
