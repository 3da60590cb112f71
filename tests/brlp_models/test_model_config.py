"""A model's configuration."""

from typing import Any

import pytest
from pydantic import ValidationError

from brlp_models.model.config import ModelConfig

REPORTED = {"regions": ["hippocampus"]}
UNSURE = {
    "volume_gain": {"hippocampus": 1.1},
    "gain_measurement": {"n_people": 12, "n_anatomies": 2, "intervals": {}},
}


def test_padded_latent_fits_the_unet(tiny_config: ModelConfig) -> None:
    assert tiny_config.latent_shape == (5, 6, 5)
    assert tiny_config.padded_latent_shape == (8, 8, 8)


def test_controlnet_takes_the_unets_arguments(tiny_config: ModelConfig) -> None:
    args = tiny_config.controlnet_args()
    assert args["channels"] == tiny_config.unet["channels"]
    assert "out_channels" not in args


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"shape": [20, 24, 21]}, "divisible by 4"),
        ({"spacing_mm": [1.0, 1.0, 1.0]}, "affine's voxel size"),
        ({"latent_padding": [[0, 0], [0, 0], [0, 0]]}, "padded latent"),
        ({"controlnet": {}}, "latent \\+ age plane"),
        ({"context": []}, "cross_attention_dim must be 0"),
        ({"decoding": "refined"}, "refiner must be given together"),
        ({"latent_scale": 0}, "greater than 0"),
        ({"guidance": -1}, "guidance\n.*greater than or equal to 0"),
        ({"regions": ["hippocampus", "thalamus"]}, "thalamus, which segmenter.labels lacks"),
        ({"endpoint": "thalamus"}, "endpoint is thalamus, which is none of regions"),
        ({"channels": ["T1w", "flair"]}, "channels names flair, it can name T1w, FLAIR, T2w"),
        ({"channels": ["T1w", "T1w"]}, "channels names T1w 2 times, once is expected"),
        ({"channels": ["FLAIR"]}, "the first of channels must be T1w, got FLAIR"),
        ({"channels": ["T1w", "FLAIR"]}, r"autoencoder.in_channels must be 2, .*FLAIR\), got 1"),
        ({"latent_scal": 1}, "Extra inputs"),
        ({"name": "a\nError: b"}, r"one line of visible characters, got 'a\\nError: b'"),
        ({"calibrations": {"a\x1b[2J-1": REPORTED}}, "should match pattern"),
        ({"calibrations": {"a-1": {"regions": []}}}, r"none of calibrations.a-1.regions"),
        ({"volume_gain": {"thalamus": 1}}, "volume_gain names thalamus, which segmenter"),
        (
            {"calibrations": {"a-1": {**REPORTED, "shown_weight": {"thalamus": 1}}}},
            r"calibrations.a-1.shown_weight names thalamus, which segmenter.labels lacks",
        ),
        (
            {"calibrations": {"a-1": {**REPORTED, **UNSURE}}},
            r"a-1.gain_measurement.intervals lacks hippocampus, which calibrations.a-1.volume_gain",
        ),
        ({"context": [{"name": "age"}]}, "range = "),
        ({"context": [{"name": "sex", "coding": "categories"}]}, "categories"),
    ],
)
def test_mistake_is_named(
    tiny_settings: dict[str, Any], change: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValidationError, match=words):
        ModelConfig.model_validate({**tiny_settings, **change})
