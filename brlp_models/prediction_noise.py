"""Noise streams of predictions.

A draw's noise follows from (seed, participant, horizon, draw) alone, so a person's numbers depend
neither on the batch, nor on the order, nor on who else is in the cohort.
"""

import hashlib
import json
from collections.abc import Sequence

import torch
from torch import Tensor


def make_noise(
    seed: int, participant_id: str, horizon_months: float, draw: int, shape: Sequence[int]
) -> Tensor:
    """Return standard normal noise of `shape`, always made on the CPU."""
    key = json.dumps([seed, participant_id, float(horizon_months), draw]).encode()
    state = int.from_bytes(hashlib.sha256(key).digest()[:8], "big", signed=True)
    generator = torch.Generator().manual_seed(state)
    return torch.randn(tuple(shape), generator=generator)
