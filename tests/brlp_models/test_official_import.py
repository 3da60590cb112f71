"""The authors' checkpoints load completely, and give what their own package gives.

Expected numbers were computed once with monai-generative 0.2.3 on the weights of `wave_weights`.
"""

import functools
import json
import math
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from brlp_models.errors import ModelError
from brlp_models.model.config import ModelConfig
from brlp_models.model.folder import load_model
from brlp_models.model.model import BrlpModel, pad_latents
from brlp_models.model.networks import build_empty_networks
from brlp_models.model.sampling import sample_latents
from brlp_models.official_import import import_official, read_official_config, read_official_tensors

NARROW = {
    "autoencoder": {"channels": (32, 32, 32, 32), "num_res_blocks": (1, 1, 1, 1)},
    "unet": {"channels": (32, 64, 96), "num_head_channels": (0, 64, 96), "num_res_blocks": 1},
    "controlnet": {"conditioning_embedding_num_channels": (32,)},
}


def narrow_config() -> ModelConfig:
    """Return the published structure with few channels, on a small grid."""
    settings = read_official_config().model_dump(mode="json")
    for part, changes in NARROW.items():
        settings[part] |= changes
    padding = [[0, 3], [1, 1], [0, 3]]
    return ModelConfig.model_validate(
        {**settings, "shape": (40, 48, 40), "latent_padding": padding}
    )


def wave_weights(shapes: dict[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Return weights that any version of any package can make again, none of them zero."""
    state = {}
    for index, (name, shape) in enumerate(sorted(shapes.items())):
        size = math.prod(shape)
        angle = torch.arange(size, dtype=torch.float64) * 0.7 * (1 + index % 7) + index
        wave = torch.sin(angle)
        if len(shape) > 1:
            value = wave * (2 * shape[0] / size) ** 0.5
            value *= 6 if name == "out.2.conv.weight" else 1
        else:
            value = 0.1 * wave + (1 if name.endswith("weight") else 0)
        state[name] = value.reshape(shape).float()
    return state


@functools.cache
def old_state(part: str) -> dict[str, Tensor]:
    names = build_empty_networks(narrow_config())[part].state_dict()
    return wave_weights(
        {
            name.replace("out_proj", "to_out.0").replace("postconv", "conv"): tuple(value.shape)
            for name, value in names.items()
        }
    )


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("old")
    paths = {part: folder / f"{part}.pth" for part in NARROW}
    for part, path in paths.items():
        torch.save(old_state(part), path)
    return paths


@pytest.fixture(scope="module")
def imported(checkpoints: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> BrlpModel:
    folder = tmp_path_factory.mktemp("imported")
    import_official(checkpoints, folder, config=narrow_config())
    return load_model(folder)


def wave(shape: tuple[int, ...], step: float) -> Tensor:
    angle = torch.arange(math.prod(shape), dtype=torch.float64) * step
    return torch.sin(angle).reshape(shape).float() * 1.4


def sample_of(tensor: Tensor) -> list[float]:
    flat = tensor.flatten()
    return [float(value) for value in flat[:: max(1, len(flat) // 6)][:6]]


@pytest.fixture(scope="module")
def latent(imported: BrlpModel) -> Tensor:
    return imported.encode((wave((1, 1, 40, 48, 40), 0.013) + 1.4) / 2.8)


def test_published_sizes_are_reached() -> None:
    sizes = {
        name: sum(p.numel() for p in network.parameters())
        for name, network in build_empty_networks(read_official_config()).items()
    }
    assert sizes == {"autoencoder": 13_766_248, "unet": 553_198_595, "controlnet": 229_658_624}


def test_encoder_gives_the_old_latent(latent: Tensor) -> None:
    old = [0.01135666, 0.04296332, 0.01301075, 0.04402031, 0.1391139, 0.1695176]
    assert sample_of(latent) == pytest.approx(old, abs=1e-5)


def test_decoder_gives_the_old_image(imported: BrlpModel, latent: Tensor) -> None:
    old = [-0.09078564, 0.01965916, -0.06695653, -0.1002747, 0.3263286, -0.08882822]
    assert sample_of(imported.decode(latent)) == pytest.approx(old, abs=1e-5)


def test_predicted_noise_is_the_old_one(imported: BrlpModel, latent: Tensor) -> None:
    baseline = pad_latents(latent, imported.config)
    condition = torch.cat([baseline, torch.full((1, 1, 8, 8, 8), 0.7)], dim=1)
    context, time = torch.linspace(0.1, 0.9, 8).view(1, 1, 8), torch.tensor([960])
    x = wave((1, 3, 8, 8, 8), 0.37)
    down, middle = imported.networks["controlnet"](x, time, condition, context=context)
    noise = imported.networks["unet"](
        x,
        time,
        context=context,
        down_block_additional_residuals=down,
        mid_block_additional_residual=middle,
    )
    old = [-0.2561739, -0.6291758, -0.075104, -0.3653582, -0.1457271, -0.3445016]
    assert float(noise.std()) == pytest.approx(0.8596, abs=1e-4)
    assert sample_of(noise) == pytest.approx(old, abs=1e-5)


def test_whole_chain_ends_where_the_old_one_does(imported: BrlpModel, latent: Tensor) -> None:
    context = torch.linspace(0.1, 0.9, 8).view(1, 1, 8)
    noise = wave((1, 3, 8, 8, 8), 0.37)
    drawn = sample_latents(imported, latent, torch.tensor([70.0]), context, noise, 25, "ddim")
    old = [22.96326, 49.97645, -71.27441, -50.86265, -93.032, -99.15473]
    assert sample_of(drawn) == pytest.approx(old, abs=1e-5 * float(drawn.norm()))


@pytest.mark.slow
def test_monais_own_loader_gives_the_same_weights(imported: BrlpModel) -> None:
    config = narrow_config()
    for part, network in imported.networks.items():
        again: Any = build_empty_networks(config)[part].to_empty(device="cpu")
        again.load_old_state_dict(dict(old_state(part)))
        for name, value in network.state_dict().items():
            assert torch.equal(value, again.state_dict()[name]), name


def test_latent_scale_is_one_unless_told(
    imported: BrlpModel, checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    import_official(checkpoints, tmp_path, config=narrow_config(), latent_scale=0.8)
    assert (imported.config.latent_scale, load_model(tmp_path).config.latent_scale) == (1.0, 0.8)


def test_tensors_that_do_not_fit_are_named_and_nothing_is_written(
    checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    state = dict(old_state("unet"))
    state["surplus"] = state.pop("conv_in.conv.bias")
    state["out.2.conv.bias"] = torch.zeros(4)
    torch.save(state, tmp_path / "unet.pth")
    with pytest.raises(ModelError) as caught:
        import_official(
            {**checkpoints, "unet": tmp_path / "unet.pth"}, tmp_path / "m", config=narrow_config()
        )
    text = str(caught.value)
    assert "lacks the tensor conv_in.conv.bias" in text
    assert "holds the tensor surplus" in text
    assert "out.2.conv.bias must have shape (3,), got (4,)" in text
    assert not (tmp_path / "m").exists()


class Malicious:
    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return (Path.touch, (Path("ran.txt"),))  # type: ignore[return-value]


def test_pickle_that_runs_code_is_refused_and_never_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "bad.pth"
    torch.save({"weight": Malicious()}, path)
    with pytest.raises(ModelError, match="wants to run code"):
        read_official_tensors(path)
    path.write_bytes(pickle.dumps(Malicious()))
    with pytest.raises(ModelError, match="wants to run code"):
        read_official_tensors(path)
    assert not (tmp_path / "ran.txt").exists()


@pytest.mark.parametrize("size", [0, 100, 20_000])
def test_truncated_checkpoint_is_refused(
    checkpoints: dict[str, Path], tmp_path: Path, size: int
) -> None:
    path = tmp_path / "short.pth"
    path.write_bytes(checkpoints["unet"].read_bytes()[:size])
    with pytest.raises(ModelError, match=r"short\.pth"):
        read_official_tensors(path)


def test_missing_checkpoint_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"absent\.pth cannot be read"):
        read_official_tensors(tmp_path / "absent.pth")


def test_file_of_something_else_is_refused(tmp_path: Path) -> None:
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(ModelError, match="must hold a state dict"):
        read_official_tensors(tmp_path / "list.pth")


def test_wrapped_state_dict_is_unwrapped_and_other_content_is_told(tmp_path: Path) -> None:
    path, state = tmp_path / "wrapped.pth", {"weight": torch.arange(3.0)}
    torch.save({"epoch": 3, "state_dict": state}, path)
    assert torch.equal(read_official_tensors(path)["weight"], state["weight"])
    torch.save({"epoch": 3, "network": state}, path)
    with pytest.raises(ModelError, match="under 'state_dict'; it holds epoch, network"):
        read_official_tensors(path)
    torch.save({"state_dict": {}}, path)
    with pytest.raises(ModelError, match="holds an empty state dict"):
        read_official_tensors(path)


def test_legacy_format_is_read(tmp_path: Path) -> None:
    state = {"weight": torch.arange(3.0)}
    torch.save(state, tmp_path / "legacy.pth", _use_new_zipfile_serialization=False)
    assert torch.equal(read_official_tensors(tmp_path / "legacy.pth")["weight"], state["weight"])


def test_auxiliary_model_that_is_no_leaspy_file_is_refused(
    checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "cn.json").write_text(json.dumps({"a": 1}))
    with pytest.raises(ModelError, match=r"cn\.json"):
        import_official(
            checkpoints,
            tmp_path / "m",
            auxiliary={"CN": tmp_path / "cn.json"},
            config=narrow_config(),
        )


def test_names_of_a_network_that_was_trained_on_several_devices_are_unwrapped(
    tmp_path: Path,
) -> None:
    path = tmp_path / "parallel.pth"
    torch.save({"state_dict": {"module.a": torch.ones(2), "module.b.c": torch.zeros(1)}}, path)
    assert set(read_official_tensors(path)) == {"a", "b.c"}


def test_a_file_of_another_network_is_one_sentence(
    checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    torch.save({"layer.weight": torch.ones(2), "layer.bias": torch.ones(1)}, tmp_path / "x.pth")
    with pytest.raises(ModelError) as caught:
        import_official(
            {**checkpoints, "unet": tmp_path / "x.pth"}, tmp_path / "out", config=narrow_config()
        )
    (problem,) = caught.value.problems
    assert "(unet) is of another network: none of its 2 tensors (first: layer.weight)" in problem


def test_an_empty_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "empty.pth").touch()
    with pytest.raises(ModelError, match=r"empty\.pth cannot be read .*: it ends too early"):
        read_official_tensors(tmp_path / "empty.pth")
