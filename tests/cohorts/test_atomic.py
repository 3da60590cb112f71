"""Files and folders are whole at any moment; those who may read them stay the same."""

import multiprocessing
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cohorts.cohort import Cohort
from cohorts.errors import StorageError
from cohorts.files import atomic
from cohorts.files.atomic import write_file, write_folder
from cohorts.sources.loading import load_cohort
from cohorts.synthetic.tabular import synthesize_table


def write_texts(folder: Path, **texts: str) -> None:
    with write_folder(folder) as partial:
        for name, text in texts.items():
            (partial / name).write_text(text)


def read_texts(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*") if p.is_file()}


def test_other_files_of_the_folder_are_carried_over(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep" / "er" / "mine").write_text("kept")
    (folder / "a").write_text("old")
    write_texts(folder, a="new", b="new")
    assert read_texts(folder) == {"deep/er/mine": "kept", "a": "new", "b": "new"}
    assert (folder / "deep" / "er" / "mine").stat().st_nlink == 1
    assert os.listdir(tmp_path) == ["out"]


def test_what_is_not_to_be_carried_goes(tmp_path: Path) -> None:
    write_texts(tmp_path / "out", a="old", stale="old", other="old")
    with write_folder(tmp_path / "out", without=["stale"]) as partial:
        (partial / "a").write_text("new")
    assert read_texts(tmp_path / "out") == {"a": "new", "other": "old"}
    with write_folder(tmp_path / "out", keeps_others=False) as partial:
        (partial / "b").write_text("new")
    assert read_texts(tmp_path / "out") == {"b": "new"}


def test_what_another_process_writes_meanwhile_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, link = tmp_path / "out", os.link
    write_texts(folder, a="old", study="old")

    def link_late(old: Path, new: Path, **options: bool) -> None:
        link(old, new, **options)  # type: ignore[arg-type]
        write_file(folder / "study", b"finished meanwhile")
        write_file(folder / "report", b"finished meanwhile")

    monkeypatch.setattr(os, "link", link_late)
    with write_folder(folder) as partial:
        (partial / "a").write_text("new")
    assert read_texts(folder) == {
        "a": "new",
        "study": "finished meanwhile",
        "report": "finished meanwhile",
    }


def test_a_file_is_never_replaced_by_a_folder(tmp_path: Path) -> None:
    table = tmp_path / "people.csv"
    table.write_text("the only copy")
    (tmp_path / "link").symlink_to(table)
    for place in (table, tmp_path / "link"):
        with pytest.raises(StorageError, match=r"people.csv is a file, .*; name another place"):
            write_texts(place, a="new")
    assert read_texts(tmp_path) == {"people.csv": "the only copy", "link": "the only copy"}


@pytest.mark.parametrize("is_here", [True, False])
def test_nothing_in_a_folder_is_replaced_by_something_of_another_kind(
    is_here: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "out"
    (folder / "a").mkdir(parents=True)
    (folder / "a" / "mine").write_text("kept")
    (folder / "b").write_text("kept")
    if is_here:
        monkeypatch.chdir(folder)
    with pytest.raises(StorageError, match="a is a folder, which stays as it is: a file"):
        write_texts(folder, a="new", c="new")
    with pytest.raises(StorageError, match="b is a file, which stays as it is: a folder"):
        write_deep(folder)
    assert read_texts(tmp_path) == {"out/a/mine": "kept", "out/b": "kept"}


def write_deep(folder: Path) -> None:
    with write_folder(folder) as partial:
        (partial / "b").mkdir()
        (partial / "b" / "c").write_text("new")


def write_and_fail(folder: Path) -> None:
    with write_folder(folder) as partial:
        (partial / "a").write_text("new")
        raise KeyError


def test_a_block_that_fails_changes_nothing(tmp_path: Path) -> None:
    write_texts(tmp_path / "out", a="old")
    with pytest.raises(KeyError):
        write_and_fail(tmp_path / "out")
    assert read_texts(tmp_path) == {"out/a": "old"}


def test_the_working_directory_stays_the_same_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").write_text("kept")
    before = tmp_path.stat().st_ino
    write_texts(Path(), a="new")
    assert read_texts(Path()) == {"a": "new", "mine": "kept"}
    assert tmp_path.stat().st_ino == before


def test_a_system_that_cannot_exchange_folders_replaces_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(atomic, "_EXCHANGE", 64)  # no flag of any system
    write_texts(tmp_path / "out", a="old", mine="kept")
    write_texts(tmp_path / "out", a="new")
    assert read_texts(tmp_path / "out") == {"a": "new", "mine": "kept"}
    with write_folder(tmp_path / "out", keeps_others=False) as partial:
        (partial / "b").write_text("new")
    assert read_texts(tmp_path / "out") == {"b": "new"}


def test_a_link_to_a_folder_stays_one(tmp_path: Path) -> None:
    write_texts(tmp_path / "real", a="old")
    (tmp_path / "link").symlink_to("real")
    write_texts(tmp_path / "link", a="new")
    assert (tmp_path / "link").is_symlink()
    assert read_texts(tmp_path / "real") == {"a": "new"}


def test_others_get_nothing_and_a_shared_file_stays_shared(tmp_path: Path) -> None:
    write_file(tmp_path / "a", b"new")
    assert (tmp_path / "a").stat().st_mode & 0o007 == 0
    (tmp_path / "a").chmod(0o664)
    group = (tmp_path / "a").stat().st_gid
    other = next((found for found in os.getgroups() if found != group), group)
    os.chown(tmp_path / "a", -1, other)
    write_file(tmp_path / "a", b"newer")
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o664
    assert (tmp_path / "a").stat().st_gid == other
    write_texts(tmp_path / "out", b="new")
    assert (tmp_path / "out").stat().st_mode & 0o007 == 0
    (tmp_path / "out").chmod(0o2775)
    (tmp_path / "out" / "b").chmod(0o640)
    write_texts(tmp_path / "out", b="newer")
    assert (tmp_path / "out").stat().st_mode & 0o7777 == 0o2775
    assert (tmp_path / "out" / "b").stat().st_mode & 0o777 == 0o640


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(StorageError, match="could not be written"):
        write_texts(tmp_path / "file" / "out", a="new")


def import_for_ever(cohorts: tuple[Cohort, Cohort], folder: Path) -> None:
    while True:
        for cohort in cohorts:
            cohort.write(folder)


def write_for_ever(_cohorts: tuple[Cohort, Cohort], folder: Path) -> None:
    while True:
        for word in ("one", "two"):
            with write_folder(folder, keeps_others=False) as partial:
                for name in range(20):
                    (partial / f"{name}").write_text(word)


def assert_one_cohort(cohorts: tuple[Cohort, Cohort], folder: Path) -> None:
    found = load_cohort(folder)
    assert any(
        found.participants.equals(known.participants) and found.volumes.equals(known.volumes)
        for known in cohorts
    )


def assert_one_word(_cohorts: tuple[Cohort, Cohort], folder: Path) -> None:
    assert len({path.read_text() for path in folder.iterdir()}) == 1


@pytest.mark.parametrize(
    ("write", "check"), [(import_for_ever, assert_one_cohort), (write_for_ever, assert_one_word)]
)
def test_no_kill_leaves_a_mixture(
    write: Callable[..., None], check: Callable[..., None], tmp_path: Path
) -> None:
    """A writer is killed at 20 random moments; what lies there is one content or the other."""
    rng = np.random.default_rng(1)
    one, two = (synthesize_table(n, rng=rng, label=f"p{n}-")[0] for n in (60, 90))
    if write is import_for_ever:
        one.write(tmp_path / "out")
    else:
        write_texts(tmp_path / "out", a="one")
    context = multiprocessing.get_context("fork")
    for delay in rng.uniform(0.0, 0.12, size=20):
        process = context.Process(target=write, args=((one, two), tmp_path / "out"))
        process.start()
        time.sleep(delay)
        process.kill()
        process.join()
        check((one, two), tmp_path / "out")
    write_texts(tmp_path / "out", last="one")
    assert os.listdir(tmp_path) == ["out"]
