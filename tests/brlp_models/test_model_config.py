"""A model's configuration."""

from typing import Any

import pytest
from pydantic import ValidationError

from brlp_models.model.config import ModelConfig

SHEARED = [[-9, 0, 0, 88.5], [0, 9, 0, -124.5], [0, 0, 9, -70.5], [0, 0, 1, 1]]
LABELS = ["background", "left_hippocampus", "right_hippocampus", "lateral_ventricle"]
SEGMENTER = {"network": "UNet", "args": {}, "labels": LABELS}
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
        ({"regions": ["hippocampus"] * 2}, "regions names hippocampus 2 times, once is expected"),
        ({"autoencoder": {}}, r"autoencoder\.channels must be a list of whole numbers .* got None"),
        ({"autoencoder": {}}, r"autoencoder\.latent_channels must be a whole number from 1 on"),
        ({"unet": {"channels": []}}, r"unet\.channels must be a list of whole numbers .* got \[\]"),
        ({"unet": {"channels": "abc"}}, r"unet\.channels must be a list of .* got abc"),
        ({"affine": [[1, 0, 0], [0, 1, 0, 0]]}, "affine must be 4 x 4, got"),
        (
            {"affine": SHEARED},
            r"affine's last row must be 0, 0, 0, 1, got \[0\.0, 0\.0, 1\.0, 1\.0\]",
        ),
        ({"auxiliary": {"one_visit": "../elsewhere.json"}}, "one_visit must be a file within the"),
        ({"auxiliary": {"one_visit": "/etc/passwd"}}, "one_visit must be a file within the folder"),
        ({"auxiliary": {"one_visit": "a\\..\\b"}}, "one_visit must be a file within the folder"),
        ({"auxiliary": {"one_visit": ""}}, "one_visit must be a file within the folder, got ''"),
        ({"auxiliary": {"two": "a.json"}}, "auxiliary names two, it can name one_visit, several_"),
        ({"baseline_age_range": [50, 50]}, "baseline_age_range must be two ages, the lower first"),
        (
            {"training_ranges": {"age_years": [95, 40]}},
            "must be the lowest and the highest, got 95",
        ),
        ({"num_inference_steps": 1001}, r"at most schedule\.num_train_timesteps, 1000, got 1001"),
        ({"schedule": {"schedule": "cosine"}}, "'linear_beta', 'scaled_linear_beta' or 'sigmoid_b"),
        ({"schedule": {"beta_end": 1.5}}, "less than 1"),
        (
            {"segmenter": {**SEGMENTER, "labels": LABELS[::-1]}},
            "first of segmenter.labels must be b",
        ),
        ({"segmenter": {**SEGMENTER, "label_ids": [0, 17, 17, 4]}}, "label_ids must be distinct"),
        ({"context": [{"name": "age"}]}, "range = "),
        *(
            ({"context": [{"name": name, "range": [0, 1]}]}, f"context entry '{name}' names a reg")
            for name in ("volume:", "change:../x", "baseline: ")
        ),
        ({"context": [{"name": "", "range": [0, 1]}]}, "context names an entry of no name"),
        ({"regions": ["hippocampus", "../x"]}, "region '../x' names a region that cannot be: it h"),
        ({"shown_weight": {"a/b": 0.1}}, "region 'a/b' names a region that cannot be"),
        (
            {"segmenter": {**SEGMENTER, "labels": [*LABELS, "../x"]}},
            r"segmenter.labels, '../x' names a region that cannot be",
        ),
        (
            {"calibrations": {"a-1": {**REPORTED, "shown_weight": {"..": 0.1}}}},
            "a-1.region '..' names",
        ),
        ({"name": "../x"}, "name is '../x': it has a part of a path"),
        ({"name": "a/b"}, "name is 'a/b': it has a part of a path"),
        ({"volume_gain": {"hippocampus": 1e-300}}, "hippocampus must lie from 0.01 to 100, got 1e"),
        (
            {"calibrations": {"a-1": {**REPORTED, "volume_gain": {"hippocampus": 1e300}}}},
            r"a-1.volume_gain.hippocampus must lie from 0.01 to 100, got 1e\+300",
        ),
        ({"latent_scale": 1e-300}, r"latent_scale must lie from 1e-06 to 1e\+06, got 1e-300"),
        ({"voxel_scale": 1e300}, r"voxel_scale must lie from 1e-06 to 1e\+06"),
        ({"decoding": "difference", "shown_error": 1e-300}, "shown_error must lie from 1e-06"),
        ({"shown_error": 0.03}, 'which decoding = "latent" does not do; it must be 0'),
        ({"residual_scale": 1e300}, r"residual_scale must lie from 1e-06 to 1e\+06"),
        ({"context": [{"name": "sex", "coding": "categories"}]}, "categories"),
    ],
)
def test_mistake_is_named(
    tiny_settings: dict[str, Any], change: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValidationError, match=words):
        ModelConfig.model_validate({**tiny_settings, **change})
