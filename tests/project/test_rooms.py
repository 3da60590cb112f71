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
    sees_all = room == "trialsim" and rest[0] in ("cli", "study")
    allowed = ROOMS if sees_all else ALLOWED[room]
    assert imported_packages(path) & ROOMS <= allowed


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_models_know_torch(path: Path) -> None:
    if path.relative_to(ROOT).parts[0] != "brlp_models":
        assert not imported_packages(path) & TORCH
