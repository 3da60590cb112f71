"""The recipe that a training's folder was begun by, so that nothing else goes on in it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from brlp_models.errors import ModelError
from brlp_models.training.checkpoint import CHECKPOINT
from brlp_models.training.export import describe_start
from brlp_models.training.pipeline import LATENTS, SCAN_BANK, VOLUME_GRADIENTS
from brlp_models.training.recipe import STAGES, Recipe
from cohorts.files.atomic import write_file

RECIPE: Final = "recipe.json"

_LOOP: Final = {"checkpoint_every", "log_every", "workers", "compile"}
_SAID_OF_THE_MODEL: Final = {
    *("name", "license", "provenance", "is_synthetic", "measured_by"),
    *("regions", "sampler", "num_inference_steps", "guidance", "context_dropout"),
}
_FREE: Final[dict[str, Any]] = {
    "start_from": True,
    "evaluation": True,
    "measure_volume_gain": True,
    "model": _SAID_OF_THE_MODEL,
    "diffusion": {"loop": _LOOP},
    **{
        stage: {"__all__": {"loop": _LOOP}}
        for stage in ("segmenter", "autoencoder", "controlnet", "refiner")
    },
}
"""What no weights depend on; of a start, its id is kept in place of where it lies."""

_LEARN_FROM: Final = {
    "segmenter": ("autoencoder", "diffusion", "controlnet", "refiner"),
    "autoencoder": ("diffusion", "controlnet", "refiner"),
    "diffusion": ("controlnet",),
    "controlnet": (),
    "refiner": (),
}
"""The stages that stand on each."""

_CACHES: Final = {
    "segmenter": VOLUME_GRADIENTS.format(region="*"),
    "autoencoder": LATENTS,
}
"""What is kept of a stage's networks."""

_MOST_TOLD: Final = 4


def keep_recipe(recipe: Recipe, folder: Path) -> None:
    """Write down what a folder is trained by, or refuse it where it was begun by something else.

    What no weights depend on may change, and so may stages that have not begun and that nothing
    which has begun stands on: phases can be added to a finished training.

    Parameters
    ----------
    recipe
        Of this training.
    folder
        Of the training; one that was begun before recipes were kept is taken to be of this one.

    Raises
    ------
    ModelError
        Where the folder holds what another recipe made, or another model that it started from.
    """
    start = None if recipe.start_from is None else describe_start(recipe.start_from)
    path = folder / RECIPE
    settings = _list_settings(recipe, start)
    if path.is_file():
        before = _read(path)
        changed = [
            key
            for key in dict.fromkeys([*before, *settings])
            if before.get(key, _ABSENT) != settings.get(key, _ABSENT)
        ]
        if mixed := [key for key in changed if _is_used(key, folder)]:
            told = list(dict.fromkeys(_describe(key, before, settings) for key in mixed))
            more = f"; and {len(told) - _MOST_TOLD} more" * (len(told) > _MOST_TOLD)
            raise ModelError(
                f"{folder} was begun by another recipe, and would mix what both make: "
                f"{'; '.join(told[:_MOST_TOLD])}{more}. Give the recipe as it was, or another "
                "folder; a further phase may be added to a stage that nothing stands on yet."
            )
    content = {"recipe": recipe.model_dump(mode="json"), "start": start}
    write_file(path, (json.dumps(content, indent=1) + "\n").encode())


_ABSENT: Final = object()


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        # what a later version adds to recipes was in this one as it is without being named
        return _list_settings(Recipe.model_validate(content["recipe"]), content["start"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        kind = "another version's" if isinstance(error, ValidationError) else "damaged"
        raise ModelError(
            f"{path}, the recipe that this folder was begun by, cannot be read ({kind}); delete it "
            "if the recipe is the same, or choose another folder."
        ) from error


def _list_settings(recipe: Recipe, start: str | None) -> dict[str, Any]:
    """Return all that weights depend on, by a dotted key."""
    return dict(_flatten({"start_from": start, **recipe.model_dump(mode="json", exclude=_FREE)}))


def _flatten(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, list) and all(isinstance(own, dict) for own in value):
        value = {str(place): own for place, own in enumerate(value, start=1)}
    if isinstance(value, dict):
        for name, own in value.items():
            yield from _flatten(own, f"{key}.{name}" if key else str(name))
    elif value is not None:
        yield key, value


def _is_used(key: str, folder: Path) -> bool:
    """Return whether something that the folder holds was made with a setting."""
    stage, *rest = key.split(".")
    if stage not in STAGES:
        has_scans = (folder / SCAN_BANK / "index.csv").exists()
        return has_scans or any(_has_begun(folder, name) for name in STAGES)
    phase = int(rest[0]) if rest and rest[0].isdigit() else 1
    later = _LEARN_FROM[stage]
    return (
        _has_begun(folder, stage, phase)
        or any(_has_begun(folder, name) for name in later)
        or (stage in _CACHES and any(folder.glob(_CACHES[stage])))
    )


def _has_begun(folder: Path, stage: str, phase: int = 1) -> bool:
    found = (path.parent.name for path in folder.glob(f"{stage}/*/{CHECKPOINT}"))
    return any(name.isdigit() and int(name) >= phase for name in found)


def _describe(key: str, before: dict[str, Any], after: dict[str, Any]) -> str:
    if key not in after:
        return f"{_find_lone_part(key, after)} is left out"
    if key not in before:
        return f"{_find_lone_part(key, before)} is added"
    return f"{key} was {_say(before[key])}, is {_say(after[key])}"


def _find_lone_part(key: str, others: dict[str, Any]) -> str:
    """Return the largest part of a recipe with this key of which the other recipe has nothing."""
    names = key.split(".")
    parts = (".".join(names[:n]) for n in range(1, len(names)))
    lone = (part for part in parts if not any(name.startswith(f"{part}.") for name in others))
    return next(lone, key)


def _say(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
