"""Files and folders that are whole or absent, whenever the process is killed.

What replaces a file or a folder keeps its owner, group, mode and access list, so that a laboratory
goes on sharing it; what is new gives nothing to others than its owner and group.
"""

import ctypes
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from cohorts.errors import StorageError

_HERE: Final = -100  # AT_FDCWD of Linux
_EXCHANGE: Final = 2  # RENAME_EXCHANGE of Linux
_ACCESS_LIST: Final = "system.posix_acl_access"


def refuse_address(path: Path) -> None:
    """Refuse what is no path but an address, such as s3://bucket/people.

    A path keeps one of its slashes, and a folder called `s3:` would be made here.

    Raises
    ------
    StorageError
        If it is one, and no such folder is here.
    """
    for folder in (path, *path.parents):
        if re.fullmatch(r"[a-z][a-z0-9+.-]+:", folder.name) and not folder.exists():
            raise StorageError(
                f"{folder.name}//... is an address: people, scans and studies are read and written "
                "on a file system (mount it); only [compute] parts may lie at an address."
            )


def write_file(path: Path, content: bytes) -> Path:
    """Write `content` to `path`; until the last moment the old file stays as it was.

    Raises
    ------
    StorageError
        If the folder cannot be written, or the disk is full.
    """
    return write_file_with(path, lambda partial: partial.write_bytes(content))


def write_file_with(path: Path, write: Callable[[Path], object]) -> Path:
    """Let `write` make a file of the same ending beside `path`, then put it in its place.

    Raises
    ------
    StorageError
        If the folder cannot be written, or the disk is full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        target = path.resolve()
        prefix, ending = f".{target.name[:80]}.", "".join(target.suffixes[-2:])
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=prefix, suffix=ending)
        os.close(handle)
        partial = Path(name)
        try:
            write(partial)
            _flush(partial)
            keep_rights(target, partial)
            os.replace(partial, target)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        kept = " The file that was there is unchanged." if path.is_file() else ""
        raise StorageError(
            f"{path} could not be written: {error.strerror or error}.{kept}"
        ) from error
    return path


@contextmanager
def write_folder(
    folder: Path, *, without: Collection[str] = (), keeps_others: bool = True
) -> Iterator[Path]:
    """Yield an empty folder, which takes the place of `folder` when the block ends well.

    Whoever reads sees the old content or the new one. What else lies in `folder` is carried over.
    Where two folders cannot change places in one step (file systems other than those of Linux, a
    mount point, the working directory), files are replaced one after the other.

    Parameters
    ----------
    folder
        Where the files shall be; made when absent.
    without
        Entries of the old folder that are not carried over.
    keeps_others
        False leaves out whatever else was in the old folder.

    Yields
    ------
    pathlib.Path
        Where to write.

    Raises
    ------
    StorageError
        If the place cannot be written, or the disk is full, or a file lies where a folder would,
        or a folder where a file would; what was there is unchanged.
    """
    target = folder.resolve()
    try:
        _refuse_other_kind(target, is_folder=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        _discard_dead(target)
        outer = Path(tempfile.mkdtemp(dir=target.parent, prefix=_prefix(target)))
        lock = _lock(outer)
        try:
            new = outer / target.name
            new.mkdir()
            yield new
            _take_place(new, target, without if keeps_others else None)
        finally:
            shutil.rmtree(outer, ignore_errors=True)
            if lock is not None:
                os.close(lock)
    except OSError as error:
        raise StorageError(f"{folder} could not be written: {error.strerror or error}.") from error


def compute_sha256(path: Path) -> str:
    """Return the SHA-256 of the file at `path`, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def keep_rights(old: Path, new: Path) -> None:
    """Give `new` the owner, group, mode and access list of `old`; without one, nothing to others.

    What the process may not give away (an owner, to anyone but the administrator) stays its own.
    """
    if not old.exists():
        umask = os.umask(0o077)
        os.umask(umask)
        new.chmod((0o770 if new.is_dir() else 0o660) & ~umask)
        return
    known = old.stat()
    for owner in (known.st_uid, -1):
        with suppress(OSError):
            os.chown(new, owner, known.st_gid)
            break
    new.chmod(known.st_mode & 0o7777)
    if hasattr(os, "getxattr"):
        with suppress(OSError):
            os.setxattr(new, _ACCESS_LIST, os.getxattr(old, _ACCESS_LIST))


def _refuse_other_kind(path: Path, *, is_folder: bool) -> None:
    """Refuse to put a folder in the place of a file, or a file in that of a folder."""
    if path.exists() and path.is_dir() != is_folder:
        there, wanted = ("file", "folder") if is_folder else ("folder", "file")
        raise StorageError(
            f"{path} is a {there}, which stays as it is: a {wanted} of this name is to be written; "
            "name another place."
        )


def _take_place(new: Path, target: Path, without: Collection[str] | None) -> None:
    written = {path.relative_to(new) for path in new.rglob("*")}
    for path in written:
        _refuse_other_kind(target / path, is_folder=(new / path).is_dir())
    for path in written:
        keep_rights(target / path, new / path)
        if (new / path).is_file():
            _flush(new / path)
    keep_rights(target, new)
    if not target.exists():
        os.rename(new, target)
    else:
        if without is None:
            without = [path.name for path in target.iterdir()]
        known = {path for path in written if (new / path).is_file()} | {*map(Path, without)}
        if _contains_working_directory(target) or not _exchange(new, target, known):
            _replace_one_by_one(new, target, written, known)
    _flush(target.parent)


def _exchange(new: Path, target: Path, known: Collection[Path]) -> bool:
    """Let the two change places in one step, with `target`'s other files; False where impossible.

    Parameters
    ----------
    new, target
        What was written, and what it replaces.
    known
        What is not carried over, relative to the folder.
    """
    exchange = getattr(ctypes.CDLL(None), "renameat2", None)
    if exchange is None:
        return False
    for path in _list_others(target, known):
        _link(target, new, path)
    if exchange(_HERE, os.fsencode(new), _HERE, os.fsencode(target), _EXCHANGE) != 0:
        return False
    # what another process has put into the old folder since its files were carried over
    for path in _list_others(new, known):
        if not (target / path).exists() or not (target / path).samefile(new / path):
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            os.replace(new / path, target / path)
    return True


def _list_others(folder: Path, known: Collection[Path]) -> list[Path]:
    """Return the files of `folder` that are neither `known` nor below what is."""
    found = (path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    relative = [path.relative_to(folder) for path in found]
    return [path for path in relative if not {path, *path.parents} & {*known}]


def _link(old: Path, new: Path, path: Path) -> None:
    for parent in reversed(path.parents):
        if not (new / parent).exists():
            (new / parent).mkdir()
            keep_rights(old / parent, new / parent)
    try:
        os.link(old / path, new / path, follow_symlinks=False)
    except OSError:  # a file system without links
        shutil.copy2(old / path, new / path, follow_symlinks=False)


def _replace_one_by_one(
    new: Path, target: Path, written: Collection[Path], known: Collection[Path]
) -> None:
    for path in sorted(written):
        if (new / path).is_dir():
            (target / path).mkdir(exist_ok=True)
        else:
            os.replace(new / path, target / path)
    for path in set(known) - set(written):
        (target / path).unlink(missing_ok=True)


def _contains_working_directory(folder: Path) -> bool:
    return Path.cwd().is_relative_to(folder)


def _discard_dead(target: Path) -> None:
    """Remove what killed writers of `target` left beside it."""
    for left in target.parent.iterdir():
        if left.name.startswith(_prefix(target)) and (lock := _lock(left)) is not None:
            shutil.rmtree(left, ignore_errors=True)
            os.close(lock)


def _prefix(target: Path) -> str:
    return f".{target.name[:80]}.writing-"


def _lock(folder: Path) -> int | None:
    """Hold the lock of a folder until the handle is closed or the process dies; None if held."""
    import fcntl

    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # held by a writer, or a file system that does not lock folders
        os.close(handle)
        return None
    return handle


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
