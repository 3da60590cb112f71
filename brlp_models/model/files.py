"""The files of a model folder: found, read and verified without PyTorch.

`config.json`, one `*.safetensors` file a network, auxiliary models as JSON under `auxiliary/`,
`MODEL_CARD.md`, and `SHA256SUMS`, which is verified whenever the folder is loaded.
"""

from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from brlp_models.errors import ModelError, list_wrong_values
from brlp_models.model.config import ModelConfig
from cohorts.files.atomic import compute_sha256

CONFIG, CARD, CHECKSUMS = "config.json", "MODEL_CARD.md", "SHA256SUMS"
BUNDLED = ("mini",)


def find_model_folder(source: str | Path) -> Path:
    """Return the folder of a bundled model's name or of a path."""
    names = ", ".join(BUNDLED)
    if source == "":
        raise ModelError(
            f"No model was named: give a folder of one, or a bundled one's name ({names})."
        )
    bundled = Path(__file__).parents[1] / str(source)
    folder = bundled if str(source) in BUNDLED else Path(source)
    if not (folder / CONFIG).is_file():
        raise ModelError(f"{folder} is no model folder (no {CONFIG}); the bundled ones: {names}.")
    return folder


def read_config(folder: Path) -> ModelConfig:
    """Return the validated `config.json` of a model folder."""
    path = folder / CONFIG
    try:
        return ModelConfig.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{path} cannot be read: {error}.") from error
    except ValidationError as error:
        wrong = list_wrong_values(error)
        raise ModelError(*(f"{path}: {key or 'config'}: {text}." for key, text in wrong)) from error


def verify_model_folder(folder: Path) -> dict[str, str]:
    """Compare every file with `SHA256SUMS`.

    Returns
    -------
    dict
        The checksum of each file, and of `SHA256SUMS` itself.

    Raises
    ------
    ModelError
        One sentence for each file that is missing, altered or not listed.
    """
    path = folder / CHECKSUMS
    if not path.is_file():
        raise ModelError(f"{folder} has no {CHECKSUMS}: the model cannot be verified.")
    listed = _read_checksums(path)
    found = {name: compute_sha256(folder / name) for name in _list_files(folder)}
    problems = [f"{folder / name} is missing." for name in sorted(listed.keys() - found.keys())]
    problems += [
        f"{folder / name} is not listed in {CHECKSUMS}."
        for name in sorted(found.keys() - listed.keys())
    ]
    problems += [
        f"{folder / name} was altered or truncated: its SHA-256 is {found[name]}, "
        f"{CHECKSUMS} says {listed[name]}."
        for name in sorted(listed.keys() & found.keys())
        if listed[name] != found[name]
    ]
    if problems:
        raise ModelError(*problems)
    return {**found, CHECKSUMS: compute_sha256(path)}


def name_model(config: ModelConfig, checksums: Mapping[str, str]) -> str:
    """Return a model's name, with the first 8 digits of the checksum of its folder's files.

    Parameters
    ----------
    config
        Of the folder.
    checksums
        From `verify_model_folder`; empty for a model that lives in memory only.
    """
    digest = checksums.get(CHECKSUMS, "")
    return f"{config.name}-{digest[:8]}" if digest else config.name


def write_checksums(folder: Path) -> None:
    """Write `SHA256SUMS` for the files as they are."""
    lines = [f"{compute_sha256(folder / name)}  {name}\n" for name in _list_files(folder)]
    (folder / CHECKSUMS).write_text("".join(lines), encoding="utf-8")


def _list_files(folder: Path) -> list[str]:
    paths = (path for path in folder.rglob("*") if path.is_file() and path.name != CHECKSUMS)
    return sorted(path.relative_to(folder).as_posix() for path in paths)


def _read_checksums(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        pairs = (line.split("  ", 1) for line in lines if line.strip())
        return {name: digest for digest, name in pairs}
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} must hold lines of `<SHA-256>  <file>`.") from error
