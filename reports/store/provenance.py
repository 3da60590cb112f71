"""Where a number came from: versions of the software, checksums of the files."""

import hashlib
import os
import platform
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import pandas as pd

from cohorts.files.atomic import compute_sha256
from reports.errors import ReportError

_PACKAGES: Final = (
    "trialsim", "numpy", "scipy", "pandas", "statsmodels", "duckdb", "torch", "monai", "nibabel",
)  # fmt: skip


@cache
def collect_versions() -> dict[str, str]:
    """Return the versions of Python, the system and the packages that make the numbers."""
    found = {"python": platform.python_version(), "system": platform.platform()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


@cache
def find_git_commit() -> str | None:
    """Return the commit of the source that is running, with `+changes` if it has been edited."""
    git = shutil.which("git")
    root = Path(__file__).parents[2]
    if git is None or not (root / ".git").exists():
        return None
    commit = _ask(git, root, "rev-parse", "HEAD")
    changed = _ask(git, root, "status", "--porcelain", "--untracked-files=no")
    return f"{commit}+changes" if commit and changed else commit or None


def list_files(paths: Iterable[Path]) -> list[Path]:
    """Return every file among `paths` and below the folders among them, once, in order.

    Raises
    ------
    ReportError
        If a path does not exist.
    """
    files: dict[Path, None] = {}
    for path in map(Path, paths):
        if not path.exists():
            raise ReportError(f"The input {path} does not exist.")
        inside = sorted(child for child in path.rglob("*") if child.is_file())
        files |= dict.fromkeys(child.resolve() for child in (inside if path.is_dir() else [path]))
    return list(files)


def describe_files(paths: Iterable[Path], kind: str) -> pd.DataFrame:
    """Return `kind`, `path`, `sha256`, `size_bytes` of every file among `paths`."""
    rows = [
        (kind, os.fspath(path), compute_sha256(path), path.stat().st_size)
        for path in list_files(paths)
    ]
    return pd.DataFrame(rows, columns=["kind", "path", "sha256", "size_bytes"])


def compute_fingerprint(tables: Mapping[str, pd.DataFrame]) -> str:
    """Return the SHA-256 of the names, columns and rows of `tables`, in their order."""
    digest = hashlib.sha256()
    for name, frame in tables.items():
        digest.update(f"{name}:{list(frame.columns)}".encode())
        digest.update(pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes())
    return digest.hexdigest()


def _ask(git: str, root: Path, *words: str) -> str:
    done = subprocess.run(  # noqa: S603 - fixed words, no shell
        [git, "-C", os.fspath(root), *words], capture_output=True, text=True, check=False
    )
    return done.stdout.strip()
