"""Finished blocks: Parquet files with a checksum, in a folder or at an address of fsspec.

A part is named by all that it depends on, so whoever asks again, after whatever died, finds it.
"""

import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cohorts.errors import StorageError
from cohorts.files.atomic import write_file
from trialsim.errors import ClusterError
from trialsim.workers.spread import Arrays

_CHECKSUM: Final = b"sha256"
_KINDS: Final = ("float64", "int64", "bool")


@dataclass(frozen=True)
class PartStore:
    """A folder of parts, which any number of machines may share.

    Attributes
    ----------
    folder
        Made when the first part is written; or an address that fsspec knows, such as
        s3://bucket/parts (with `pip install s3fs`), memory:// or file://.
    """

    folder: Path | str

    def read(self, key: str) -> Arrays | None:
        """Return the part of that name; None where it is absent, or not as it was written."""
        try:
            table = pq.read_table(io.BytesIO(self._load(f"{key}.parquet")))
            rows = table.to_pylist()
        except (OSError, pa.ArrowException):
            return None
        if (table.schema.metadata or {}).get(_CHECKSUM) != _compute_checksum(rows):
            return None
        return {
            row["name"]: np.frombuffer(row["data"], dtype=row["kind"]).reshape(row["shape"])
            for row in rows
        }

    def write(self, key: str, arrays: Arrays) -> None:
        """Keep a part, whole or not at all.

        Raises
        ------
        StorageError
            Where the folder cannot be written, or the disk is full.
        """
        rows = [
            {"name": name, "kind": str(own.dtype), "shape": own.shape, "data": own.tobytes()}
            for name, own in arrays.items()
        ]
        if wrong := {str(row["kind"]) for row in rows} - {*_KINDS}:
            raise TypeError(f"A part holds {', '.join(_KINDS)}, got {', '.join(sorted(wrong))}.")
        schema = pa.schema(
            [
                ("name", pa.string()),
                ("kind", pa.string()),
                ("shape", pa.list_(pa.int64())),
                ("data", pa.large_binary()),
            ],
            metadata={_CHECKSUM: _compute_checksum(rows)},
        )
        content = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), content)
        self._save(f"{key}.parquet", content.getvalue())

    def _load(self, name: str) -> bytes:
        if isinstance(self.folder, Path):
            return (self.folder / name).read_bytes()
        files, place = find_file_system(self.folder)
        with _told_as_os_error():
            return bytes(files.cat_file(f"{place}/{name}"))

    def _save(self, name: str, content: bytes) -> None:
        if isinstance(self.folder, Path):
            self.folder.mkdir(parents=True, exist_ok=True)
            write_file(self.folder / name, content)
            return
        files, place = find_file_system(self.folder)
        try:
            with _told_as_os_error():
                files.makedirs(place, exist_ok=True)
                # a store that breaks off leaves what the checksum tells from a whole part
                files.pipe_file(f"{place}/{name}", content)
        except OSError as error:
            raise StorageError(f"{self.folder} cannot be written: {error}.") from error


def find_file_system(address: str) -> tuple[Any, str]:
    """Return the file system of fsspec behind an address, and the place in it.

    Raises
    ------
    ClusterError
        Where fsspec knows no such address, or the package that reaches it is not installed.
    """
    import fsspec

    try:
        files, place = fsspec.url_to_fs(address)
    except (ImportError, ValueError) as error:
        raise ClusterError(f"Parts cannot be kept at {address}: {error}.") from error
    return files, str(place).rstrip("/")


@contextmanager
def _told_as_os_error() -> Iterator[None]:
    """Raise `OSError` for whatever a store's own package raises, as botocore where none answers."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        raise OSError(str(error).rstrip(".")) from error


def _compute_checksum(rows: Sequence[Mapping[str, Any]]) -> bytes:
    found = hashlib.sha256()
    for row in rows:
        found.update(repr([row["name"], row["kind"], [*row["shape"]]]).encode())
        found.update(row["data"])
    return found.hexdigest().encode()
