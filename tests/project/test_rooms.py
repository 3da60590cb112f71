"""Who may import whom (ARCHITECTURE.md): arrows point down, siblings never meet."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = {"cohorts", "brlp_models", "trialsim", "reports"}
TORCH = {"torch", "monai", "accelerate", "safetensors"}
ALLOWED = {
    "cohorts": {"cohorts"},
    "brlp_models": {"brlp_models", "cohorts"},
    "trialsim": {"trialsim", "cohorts"},
    "reports": {"reports", "cohorts"},
}
FILES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))


def imported_packages(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_room_imports_only_what_stands_below_it(path: Path) -> None:
    room, *rest = path.relative_to(ROOT).parts
    sees_all = room == "trialsim" and rest[0] in ("cli", "study", "explorer")
    allowed = ROOMS if sees_all else ALLOWED[room]
    assert imported_packages(path) & ROOMS <= allowed


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_models_know_torch(path: Path) -> None:
    if path.relative_to(ROOT).parts[0] != "brlp_models":
        assert not imported_packages(path) & TORCH


FLOORS = {
    "brlp_models": (
        "errors", "model", "scans", "auxiliary", "prediction", "evaluation", "training",
        "demonstration",
    ),
    "reports": ("errors", "store", "figures", "viewer", "page"),
    "trialsim": (
        "errors", "accrual", "costs", "analysis", "workers", "analytic", "imputation", "finished",
        "adaptive", "design", "enrichment", "simulation", "comparison", "twins", "interim",
        "optimization", "study", "explorer", "cli",
    ),
}  # fmt: skip
"""Rooms of a package from the ground up: a room takes from itself and from those below."""


def list_imports(path: Path) -> set[tuple[str, ...]]:
    found: set[tuple[str, ...]] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            parts = tuple(node.module.split("."))
            names = [alias.name for alias in node.names]
            found |= {(*parts, name) for name in names} if len(parts) == 1 else {parts}
    return found


@pytest.mark.parametrize(
    "path",
    [path for path in FILES if len(path.relative_to(ROOT).parts) > 2],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_a_room_takes_nothing_from_a_room_above_it(path: Path) -> None:
    package, room, *_ = path.relative_to(ROOT).parts
    floors = FLOORS.get(package, ())
    if room not in floors:
        return
    above = set(floors[floors.index(room) + 1 :])
    taken = {parts[1] for parts in list_imports(path) if parts[0] == package and len(parts) > 1}
    assert not taken & above


def test_every_file_of_the_architecture_exists() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    room, missing = ROOT, []
    for line in text.splitlines():
        if line.startswith("`"):
            room = ROOT / line.split("`")[1]
        elif line.startswith("|") and "question" not in line:
            cell = line.rstrip(" |").rpartition("|")[2]
            names = [name for name in cell.split("`")[1::2] if name.endswith(".py")]
            missing += [f"{room.name}/{name}" for name in names if not (room / name).is_file()]
    assert not missing


def test_every_room_is_in_the_architecture() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    rooms = {path.parent for path in (ROOT / "trialsim").glob("*/__init__.py")}
    assert not [room.name for room in rooms if f"trialsim/{room.name}" not in text]
