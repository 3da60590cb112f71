"""Model folders are verified before they are used."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from brlp_models.errors import ModelError
from brlp_models.model.config import GainMeasurement
from brlp_models.model.files import read_config, verify_model_folder, write_checksums
from brlp_models.model.folder import describe_model, load_model, write_model_folder
from brlp_models.model.model import BrlpModel, crop_latents, pad_latents


@pytest.fixture
def folder(tiny_folder: Callable[..., Path]) -> Path:
    return tiny_folder()


def test_written_model_is_read_back_exactly(tiny_model: BrlpModel, tmp_path: Path) -> None:
    write_model_folder(tmp_path, tiny_model.config, tiny_model.networks, card="# Tiny\n")
    again = load_model(tmp_path)
    assert again.config == tiny_model.config
    for name, network in tiny_model.networks.items():
        for key, value in network.state_dict().items():
            assert torch.equal(value, again.networks[name].state_dict()[key])


def test_half_precision_file_loads_as_full_precision(tiny_model: BrlpModel, tmp_path: Path) -> None:
    write_model_folder(
        tmp_path, tiny_model.config, tiny_model.networks, card="", dtype=torch.float16
    )
    assert {p.dtype for p in load_model(tmp_path).networks["unet"].parameters()} == {torch.float32}


def test_a_model_says_on_whom_its_gain_was_measured(tiny_model: BrlpModel, tmp_path: Path) -> None:
    measured = GainMeasurement(
        n_people=25, n_anatomies=5, intervals={"hippocampus": (0.9, 1.3), "thalamus": (0.1, 0.6)}
    )
    told = []
    for name, known in (("training", None), ("others", measured)):
        update = {"volume_gain": {"hippocampus": 1.1}, "gain_measurement": known}
        config = tiny_model.config.model_copy(update=update)
        write_model_folder(tmp_path / name, config, tiny_model.networks, card="")
        assert load_model(tmp_path / name).config == config
        told.append(describe_model(tmp_path / name)["volume_gain"])
    assert told == [
        "hippocampus 1.10; measured on training people",
        "hippocampus 1.10 (0.90 to 1.30); measured on 25 other people of 5 anatomies; left out: "
        "thalamus",
    ]


def test_loaded_networks_hold_all_their_weights(tiny_model: BrlpModel) -> None:
    for network in tiny_model.networks.values():
        assert not any(tensor.is_meta for tensor in network.state_dict().values())
        assert not network.training


def test_image_goes_to_a_latent_and_back(tiny_model: BrlpModel) -> None:
    latents = tiny_model.encode(torch.zeros(2, 1, *tiny_model.config.shape))
    assert latents.shape == (2, 3, 5, 6, 5)
    assert tiny_model.decode(latents).shape == (2, 1, *tiny_model.config.shape)


def test_padding_is_undone_by_cropping(tiny_model: BrlpModel) -> None:
    latents = torch.randn(2, 3, 5, 6, 5, generator=torch.Generator().manual_seed(0))
    padded = pad_latents(latents, tiny_model.config)
    assert padded.shape[2:] == tiny_model.config.padded_latent_shape
    assert padded.count_nonzero() == latents.count_nonzero()
    assert torch.equal(crop_latents(padded, tiny_model.config), latents)


def test_image_of_another_grid_is_refused(tiny_model: BrlpModel) -> None:
    with pytest.raises(ModelError, match=r"\(1, 20, 24, 20\)"):
        tiny_model.encode(torch.zeros(1, 1, 24, 24, 24))


def test_altered_file_is_refused(folder: Path) -> None:
    weights = folder / "unet.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4])
    with pytest.raises(ModelError, match=r"unet\.safetensors was altered or truncated"):
        load_model(folder)


def test_missing_and_unlisted_files_are_told_together(folder: Path) -> None:
    (folder / "MODEL_CARD.md").unlink()
    (folder / "extra.json").write_text("{}")
    with pytest.raises(ModelError, match="is missing") as caught:
        verify_model_folder(folder)
    assert len(caught.value.problems) == 2


def test_tensors_that_do_not_fit_are_named(folder: Path) -> None:
    path = folder / "unet.safetensors"
    state = load_file(path)
    state["extra"] = state.pop("conv_in.conv.bias")
    state["conv_in.conv.weight"] = torch.zeros(1)
    save_file(state, path)
    write_checksums(folder)
    with pytest.raises(ModelError) as caught:
        load_model(folder)
    text = str(caught.value)
    assert "lacks the tensor conv_in.conv.bias" in text
    assert "tensor extra, which the architecture does not use" in text
    assert "conv_in.conv.weight must have shape (8, 3, 3, 3, 3), got (1,)" in text


def test_tensors_that_hold_no_numbers_are_named(folder: Path) -> None:
    path = folder / "unet.safetensors"
    state = load_file(path)
    state["conv_in.conv.bias"] = state["conv_in.conv.bias"].to(torch.int32)
    state["conv_in.conv.weight"][0, 0, 0, 0, 0] = float("nan")
    save_file(state, path)
    write_checksums(folder)
    with pytest.raises(ModelError) as caught:
        load_model(folder)
    first, second = sorted(caught.value.problems)
    assert first.endswith("conv_in.conv.bias must hold floating-point numbers, got int32.")
    assert second.endswith("tensor conv_in.conv.weight holds values that are no number.")


def test_truncated_weights_with_a_matching_checksum_are_refused(folder: Path) -> None:
    path = folder / "unet.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    write_checksums(folder)
    with pytest.raises(ModelError, match="cannot be read as safetensors"):
        load_model(folder)


def test_mistake_in_the_configuration_is_one_sentence(folder: Path) -> None:
    settings = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**settings, "latent_scale": -1}))
    with pytest.raises(ModelError, match=r"latent_scale: .* greater than 0"):
        read_config(folder)
    (folder / "config.json").write_text(json.dumps({**settings, "a\nError: b\x1b[2J": 1}))
    with pytest.raises(ModelError) as refused:
        read_config(folder)
    assert str(refused.value).isprintable()


def test_network_that_cannot_be_built_is_named(tiny_folder: Callable[..., Path]) -> None:
    args = {"in_channels": 1, "out_channels": 4, "feature": [4]}
    labels = ["background", "hippocampus", "lateral_ventricle"]
    segmenter = {"network": "BasicUNet", "args": args, "labels": labels}
    with pytest.raises(ModelError, match="segmenter cannot be built"):
        tiny_folder(segmenter=segmenter)


def test_unknown_folder_names_the_bundled_models(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="bundled ones: mini"):
        load_model(tmp_path)


@pytest.mark.parametrize("device", ["nodevice", "cuda:99", "meta", ""])
def test_a_device_that_is_not_there_is_told(device: str) -> None:
    with pytest.raises(ModelError, match="cpu is expected"):
        load_model("mini", device=device)
