"""Model files of Leaspy 1.0 to 2.x, which are JSON.

Version 1.5 keeps the noise outside of the parameters (`noise_model.scale`); versions before 1.4
have no velocity in univariate models, whose mean log acceleration stands for it.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from brlp_models.auxiliary.course_curve import CurveParameters, compute_metric
from brlp_models.errors import ModelError

_NAMES = {
    "log_g": ("log_g_mean", "log_g", "g"),
    "log_v0": ("log_v0_mean", "log_v0", "v0"),
    "betas": ("betas_mean", "betas"),
    "tau_mean": ("tau_mean",),
    "tau_std": ("tau_std",),
    "xi_std": ("xi_std",),
    "noise_std": ("noise_std",),
}
"""Our name of each parameter, then Leaspy's: version 2 first, version 1 last."""

_KINDS = ("logistic", "univariate_logistic")
_NOISE_KEYS = ("obs_models", "obs_model", "noise_model", "loss")
_GAUSSIAN = {
    "gaussian-diagonal",
    "gaussian-scalar",
    "gaussian_diagonal",
    "gaussian_scalar",
    "MSE_diag_noise",
    "MSE",
}


def read_leaspy_file(path: Path) -> tuple[tuple[str, ...], CurveParameters]:
    """Read the features and the parameters of a logistic model, of one feature or several.

    The stored mixing matrix is not used: versions differ in its orientation, and it follows from
    the other parameters.

    Raises
    ------
    ModelError
        Where the file is not JSON, is another kind of model, or lacks a parameter.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ModelError(f"{path} is not a readable Leaspy model file (JSON): {error}.") from error
    return parse_leaspy_model(content, source=str(path))


def parse_leaspy_model(
    content: Any, *, source: str = "the progression model"
) -> tuple[tuple[str, ...], CurveParameters]:
    """Return the features and the parameters held by the content of a Leaspy file.

    Parameters
    ----------
    content
        What `json.load` gives.
    source
        How messages name the file.

    Raises
    ------
    ModelError
        All problems of the file, one sentence each.
    """
    if not isinstance(content, Mapping) or not isinstance(content.get("parameters"), Mapping):
        raise ModelError(f"{source} holds no `parameters`; a Leaspy model file is needed.")
    if content.get("name") not in _KINDS:
        raise ModelError(
            f"{source} is a model of the kind {content.get('name')!r}; only "
            f"{' and '.join(map(repr, _KINDS))} are read."
        )
    _check_noise(content, source)
    found = {ours: _find(content["parameters"], ours) for ours in _NAMES}
    if found["betas"] is None and not content.get("source_dimension"):
        found["betas"] = []
    if found["noise_std"] is None and isinstance(content.get("noise_model"), Mapping):
        found["noise_std"] = content["noise_model"].get("scale")
    _settle_velocity(found, content, source)
    missing = [_NAMES[ours][0] for ours, value in found.items() if value is None]
    if missing:
        raise ModelError(*(f"{source} lacks the parameter {name!r}." for name in missing))
    features = tuple(str(name) for name in content.get("features", ()))
    return features, build_parameters(found, n_features=len(features), source=source)


def _check_noise(content: Mapping[str, Any], source: str) -> None:
    named = next((content[key] for key in _NOISE_KEYS if key in content), "gaussian-diagonal")
    if isinstance(named, Mapping):
        named = named.get("name", named.get("y"))
    if isinstance(named, list):
        named = named[0] if named else None
    if named not in _GAUSSIAN:
        raise ModelError(f"{source} has the noise {named!r}; only Gaussian noise is read.")


def _settle_velocity(found: dict[str, Any], content: Mapping[str, Any], source: str) -> None:
    """Put the mean log acceleration into the velocity, so that accelerations have mean 0.

    Without a velocity, a univariate model is 1 / (1 + g exp(-exp(xi) (t - tau))), which is the
    multivariate curve with M v = 1.
    """
    try:
        mean = float(content["parameters"].get("xi_mean", 0.0))
        if found["log_v0"] is not None:
            found["log_v0"] = (torch.tensor(found["log_v0"], dtype=torch.float64) + mean).tolist()
        elif content["name"] == "univariate_logistic" and found["log_g"] is not None:
            log_g = torch.tensor(found["log_g"], dtype=torch.float64).reshape(-1)
            found["log_v0"] = (mean - compute_metric(log_g).log()).tolist()
    except (TypeError, ValueError, OverflowError) as error:
        raise ModelError(f"{source} holds a parameter that is no number: {error}.") from error


def _find(parameters: Mapping[str, Any], ours: str) -> Any:
    return next((parameters[name] for name in _NAMES[ours] if name in parameters), None)


def build_parameters(values: Mapping[str, Any], *, n_features: int, source: str) -> CurveParameters:
    """Return checked parameters from numbers and lists under our names.

    Raises
    ------
    ModelError
        Every value with a wrong shape, a number that is not finite, or a scale that is not
        positive.
    """
    try:
        tensors = {name: torch.tensor(value, dtype=torch.float64) for name, value in values.items()}
    except (TypeError, ValueError, OverflowError) as error:
        raise ModelError(f"{source} holds a parameter that is no number: {error}.") from error
    for name in ("tau_mean", "tau_std", "xi_std"):
        if tensors[name].numel() == 1:
            tensors[name] = tensors[name].reshape(())
    if tensors["noise_std"].numel() == 1:
        tensors["noise_std"] = tensors["noise_std"].reshape(1).expand(n_features).clone()
    if tensors["betas"].numel() == 0:
        tensors["betas"] = torch.zeros(max(n_features - 1, 0), 0, dtype=torch.float64)
    problems = list(_problems(tensors, n_features, source))
    if problems:
        raise ModelError(*problems)
    return CurveParameters(**tensors)


def _problems(tensors: Mapping[str, Tensor], n_features: int, source: str) -> list[str]:
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(("tau_mean", "tau_std", "xi_std"), ())
    shapes |= dict.fromkeys(("log_g", "log_v0", "noise_std"), (n_features,))
    shapes["betas"] = (n_features - 1, *tensors["betas"].shape[1:2])
    problems = [
        f"{source}: {name} has the shape {tuple(tensors[name].shape)}, "
        f"{n_features} features need {shape}."
        for name, shape in shapes.items()
        if tuple(tensors[name].shape) != shape
    ]
    problems += [
        f"{source}: {name} holds a number that is not finite."
        for name, tensor in tensors.items()
        if not bool(torch.isfinite(tensor).all())
    ]
    problems += [
        f"{source}: {name} must be above 0, got {tensors[name].min().item():g}."
        for name in ("tau_std", "xi_std", "noise_std")
        if tensors[name].numel() and not bool((tensors[name] > 0).all())
    ]
    return problems


def render_leaspy_model(features: tuple[str, ...], parameters: CurveParameters) -> dict[str, Any]:
    """Return the content of a Leaspy 2.x file, ready for `json.dump`."""
    numbers = {_NAMES[name][0]: getattr(parameters, name).tolist() for name in _NAMES}
    for name in ("tau_mean", "tau_std", "xi_std"):
        numbers[name] = [numbers[name]]
    return {
        "leaspy_version": "2.0.0",
        "name": "logistic",
        "features": list(features),
        "dimension": len(features),
        "source_dimension": parameters.n_sources,
        "obs_models": {"y": "gaussian-diagonal"},
        "hyperparameters": {
            "xi_mean": 0.0,
            "sources_mean": [0.0] * parameters.n_sources,
            "sources_std": 1.0,
        },
        "parameters": numbers,
    }
