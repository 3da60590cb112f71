"""Who may import whom (ARCHITECTURE.md): arrows point down, siblings never meet."""

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = {"cohorts", "brlp_models", "trialsim", "reports"}
TORCH = {"torch", "monai", "accelerate", "safetensors"}
ALLOWED = {
    "cohorts": {"cohorts"},
    "brlp_models": {"brlp_models", "cohorts"},
    "trialsim": {"trialsim", "cohorts"},
    "reports": {"reports", "cohorts"},
}


@dataclass(frozen=True)
class Module:
    """What a module imports, and the functions and classes of its own that others may import."""

    packages: frozenset[str]
    imports: frozenset[tuple[str, ...]]
    names: tuple[str, ...]


@cache
def read_modules() -> dict[Path, Module]:
    """Return every module of ours, by its path; their trees, of millions of objects, are let go."""
    paths = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
    return {path.relative_to(ROOT): read_module(path) for path in paths}


def read_module(path: Path) -> Module:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    packages: set[str] = set()
    imports: set[tuple[str, ...]] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            packages |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            parts = tuple(node.module.split("."))
            packages.add(parts[0])
            names = [alias.name for alias in node.names]
            imports |= {(*parts, name) for name in names} if len(parts) == 1 else {parts}
    own = [node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    public = tuple(name for name in own if not name.startswith("_"))
    return Module(frozenset(packages), frozenset(imports), public)


def test_rooms_import_only_what_stands_below_them() -> None:
    wrong = []
    for path, module in read_modules().items():
        room, *rest = path.parts
        sees_all = room == "trialsim" and rest[0] in ("cli", "study", "explorer")
        allowed = ROOMS if sees_all else ALLOWED[room]
        wrong += [(path, name) for name in (module.packages & ROOMS) - allowed]
    assert not wrong


def test_only_the_models_know_torch() -> None:
    assert not [
        path
        for path, module in read_modules().items()
        if path.parts[0] != "brlp_models" and module.packages & TORCH
    ]


FLOORS = {
    "brlp_models": (
        "errors", "model", "bundle", "scans", "auxiliary", "prediction", "baselines", "evaluation",
        "training", "demonstration",
    ),
    "reports": ("errors", "store", "figures", "viewer", "page"),
    "trialsim": (
        "errors", "accrual", "costs", "analysis", "workers", "analytic", "imputation", "finished",
        "adaptive", "design", "enrichment", "simulation", "comparison", "twins", "interim",
        "optimization", "study", "explorer", "cli",
    ),
}  # fmt: skip
"""Rooms of a package from the ground up: a room takes from itself and from those below."""


def test_rooms_take_nothing_from_rooms_above_them() -> None:
    wrong = []
    for path, module in read_modules().items():
        package, room, *_ = path.parts
        floors = FLOORS.get(package, ())
        if room in floors:
            above = floors[floors.index(room) + 1 :]
            taken = {parts[:2] for parts in module.imports}
            wrong += [(path, name) for name in above if (package, name) in taken]
    assert not wrong


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


SAME_IN_TWO_ROOMS = {
    "compute_power",  # of a closed form: for numbers, for the people of a pool
    "differentiate",  # the restricted likelihood: by one group's parameters, by shared ones
    "list_unattainable",  # by the registry of strategies, by what a study recorded
    "number",  # a column of numbers: of a table that is stored, of one on a page
}


def test_a_name_has_one_meaning() -> None:
    """Commands and verbs bear the names of what they ask for; no other function has two homes."""
    homes: dict[str, set[Path]] = {}
    for path, module in read_modules().items():
        if path.parts[:2] == ("trialsim", "cli") or path == Path("trialsim/study/verbs.py"):
            continue
        for name in module.names:
            homes.setdefault(name, set()).add(path)
    assert {name for name, paths in homes.items() if len(paths) > 1} == SAME_IN_TWO_ROOMS
