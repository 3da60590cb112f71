"""The coding of covariates."""

from typing import Any

import pandas as pd
import pytest
import torch

from brlp_models.errors import ModelError
from brlp_models.model.config import ContextEntry, ModelConfig
from brlp_models.model.context import encode_context, find_values_outside_training


def values(**changes: object) -> pd.DataFrame:
    row: dict[str, Any] = {
        "age": 72.0,
        "sex": "F",
        "diagnosis": "MCI",
        "volume:hippocampus": 5006.0,
        "volume:lateral_ventricle": 191374.0,
    }
    return pd.DataFrame({**row, **changes}, index=["sub-01"])


def test_context_is_coded_as_published(tiny_config: ModelConfig) -> None:
    coded = encode_context(tiny_config.context, values())
    assert coded.shape == (1, 1, 5)
    assert torch.allclose(coded[0, 0], torch.tensor([0.72, 1.0, 0.5, 0.0, 1.0]))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sex": "male"}, "sex of sub-01 must be one of M, F, got 'male'"),
        ({"diagnosis": None}, "diagnosis of sub-01 is missing"),
        ({"age": float("nan")}, "age of sub-01 is missing"),
    ],
)
def test_bad_value_is_named(
    tiny_config: ModelConfig, change: dict[str, object], words: str
) -> None:
    with pytest.raises(ModelError, match=words):
        encode_context(tiny_config.context, values(**change))


def test_every_problem_is_told_at_once(tiny_config: ModelConfig) -> None:
    with pytest.raises(ModelError) as caught:
        encode_context(tiny_config.context, values(sex="x", age=None).drop(columns="diagnosis"))
    assert len(caught.value.problems) == 3


def test_missing_value_with_a_code_is_coded() -> None:
    entry = ContextEntry(name="apoe4", range=(0, 2), missing=0.25)
    frame = pd.DataFrame({"apoe4": [2, None]})
    assert encode_context([entry], frame).flatten().tolist() == [1.0, 0.25]


def test_coded_value_is_clipped() -> None:
    entry = ContextEntry(name="change:hippocampus", range=(0, 100), clip=(-0.2, 1.2))
    frame = pd.DataFrame({"change:hippocampus": [-500.0, 500.0]})
    assert encode_context([entry], frame).flatten().tolist() == pytest.approx([-0.2, 1.2])


def test_value_outside_training_is_told_with_the_range(tiny_config: ModelConfig) -> None:
    found = find_values_outside_training(tiny_config, values(age_years=30.0))
    assert found["problem"].tolist() == [
        "age_years of sub-01 is 30, outside the training range of tiny (40 to 95)."
    ]
    assert find_values_outside_training(tiny_config, values()).empty
