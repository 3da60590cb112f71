"""Import of the authors' published checkpoints into a model folder.

Their files are `torch.save`d state dicts of monai-generative 0.2.3 networks, which MONAI took over
with a few tensors renamed. Names and shapes are compared in full: MONAI's own
`load_old_state_dict` leaves a missing tensor at random and drops an unused one without a word.
"""

import json
import pickle
import warnings
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

import torch
from torch import Tensor

from brlp_models.auxiliary.course import ProgressionAuxiliary
from brlp_models.errors import ModelError
from brlp_models.model.config import ModelConfig
from brlp_models.model.folder import compare_state_dicts, write_model_folder
from brlp_models.model.networks import build_empty_networks
from brlp_models.prediction.context import SEVERAL_VISITS
from cohorts.files.atomic import compute_sha256

_WRAPPER = "state_dict"
"""What training tools put beside epochs and optimizers in their checkpoints."""

_PARALLEL = "module."
"""What PyTorch puts before the names of a network that was trained on several devices."""

RENAMED = {"out_proj": "to_out.0", "postconv": "conv"}
"""MONAI's word in a tensor's name, then monai-generative's."""


def import_official(
    checkpoints: Mapping[str, Path],
    folder: Path,
    *,
    auxiliary: Mapping[str, Path] | None = None,
    latent_scale: float = 1.0,
    config: ModelConfig | None = None,
) -> Path:
    """Write a model folder from the authors' files.

    Parameters
    ----------
    checkpoints
        The `.pth` files of `autoencoder`, `unet` and `controlnet`.
    folder
        Where the model folder is written.
    auxiliary
        Leaspy JSON files of the disease course models by baseline diagnosis (CN, MCI, AD).
    latent_scale
        Their files hold none; their command line uses 1.
    config
        The architecture; the published one by default.

    Raises
    ------
    ModelError
        Where a file is truncated, wants to run code, or does not fit: one sentence for each
        missing, unused or misshapen tensor. Nothing is written then.
    """
    settings = (config or read_official_config()).model_dump(mode="json")
    files = {SEVERAL_VISITS: "auxiliary/progression.json"} if auxiliary else {}
    chosen = ModelConfig.model_validate(
        {**settings, "latent_scale": latent_scale, "auxiliary": files}
    )
    texts = {path: _render_auxiliary(auxiliary or {}) for path in files.values()}
    states = _convert_all(checkpoints, chosen)
    card = _render_card(chosen, {**checkpoints, **(auxiliary or {})})
    return write_model_folder(folder, chosen, states, card=card, auxiliary=texts)


def read_official_config() -> ModelConfig:
    """Return the published model's configuration."""
    text = resources.files("brlp_models").joinpath("official_config.json").read_text("utf-8")
    return ModelConfig.model_validate_json(text)


def read_official_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a `torch.save`d state dict, mapped from the file, never run.

    Raises
    ------
    ModelError
        Where the file is missing, truncated, a pickle that wants to run code, or no state dict.
    """
    try:
        with warnings.catch_warnings():
            # a hint about the pickle's protocol, meant for PyTorch's developers
            warnings.simplefilter("ignore", UserWarning)
            state = torch.load(path, map_location="cpu", weights_only=True, mmap=_is_zip(path))
    except pickle.UnpicklingError as error:
        raise ModelError(
            f"{path} was refused: it is no plain state dict but a pickle that wants to run code, "
            "or is damaged."
        ) from error
    except EOFError as error:
        raise ModelError(f"{path} cannot be read as a checkpoint: it ends too early.") from error
    except (RuntimeError, OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read as a checkpoint: {error}") from error
    if isinstance(state, dict) and isinstance(state.get(_WRAPPER), dict):
        state = state[_WRAPPER]
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        held = ", ".join(map(str, state)) if isinstance(state, dict) else type(state).__name__
        raise ModelError(
            f"{path} must hold a state dict (names to tensors), by itself or under {_WRAPPER!r}; "
            f"it holds {held}."
        )
    if not state:
        raise ModelError(f"{path} holds an empty state dict; it must hold a network's tensors.")
    if all(name.startswith(_PARALLEL) for name in state):
        return {name.removeprefix(_PARALLEL): tensor for name, tensor in state.items()}
    return dict(state)


def rename_tensors(old: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return old tensors under MONAI's names; those that no name fits keep theirs."""
    names = {_find_old_name(name, old): name for name in expected}
    return {names.get(name, name): tensor for name, tensor in old.items()}


def _find_old_name(name: str, old: Mapping[str, Tensor]) -> str:
    if name in old:
        return name
    for ours, theirs in RENAMED.items():
        name = name.replace(f".{ours}.", f".{theirs}.")
    return name


def _convert_all(
    checkpoints: Mapping[str, Path], config: ModelConfig
) -> dict[str, dict[str, Tensor]]:
    networks = build_empty_networks(config)
    problems, states = [], {}
    for name, network in networks.items():
        expected = network.state_dict()
        states[name] = rename_tensors(read_official_tensors(checkpoints[name]), expected)
        source = f"{checkpoints[name]} ({name})"
        problems += compare_state_dicts(expected, states[name], source=source)
    if problems:
        raise ModelError(*problems)
    return states


def _is_zip(path: Path) -> bool:
    # only the zip format can be mapped; torch.save wrote plain pickles before version 1.6
    with path.open("rb") as stream:
        return stream.read(2) == b"PK"


def _render_auxiliary(paths: Mapping[str, Path]) -> str:
    return json.dumps(ProgressionAuxiliary.from_official(paths).to_dict(), indent=2) + "\n"


def _render_card(config: ModelConfig, sources: Mapping[str, Path]) -> str:
    rows = [f"| {part} | {p.name} | {compute_sha256(p)} |" for part, p in sources.items()]
    scale = f"{config.latent_scale:g}"
    return "\n".join(
        [
            f"# {config.name}",
            "",
            f"{config.provenance}. Licence: {config.license}.",
            "",
            f"Latent scale {scale} (the published files hold none; their command line uses 1).",
            "The context takes the diagnosis AT BASELINE; the published command line asks for the "
            "diagnosis at the target age, which is a label from the future.",
            "",
            "| part | source file | SHA-256 |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )
