"""Synthetic people are made with one BLAS thread, by whatever makes them."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from brlp_models.demonstration import people as demonstration
from brlp_models.training.banks import synthetic_people
from cohorts.synthetic import images


def count_blas_threads() -> int:
    return max(one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas")


def run_images(make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setattr(images, "make_person", make)
    settings: Any = SimpleNamespace(root=folder)
    images._run_jobs([SimpleNamespace(participant_id="sub-1")], settings, 1, lambda: None)  # type: ignore[list-item]


def run_bank(make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    del monkeypatch, folder
    list(synthetic_people._make_people(make, [0], 1))


def run_demonstration(
    make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    monkeypatch.setattr(demonstration, "_make_person", make)
    demonstration._write_person(folder, demonstration.Group("screened", [0], 1), 0)


@pytest.mark.parametrize("run", [run_images, run_bank, run_demonstration])
def test_one_process_makes_people_with_one_thread(
    run: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def make(*_: Any) -> None:
        seen.append(count_blas_threads())
        raise KeyboardInterrupt

    with threadpool_limits(2, user_api="blas"):
        assert count_blas_threads() == 2
        with pytest.raises(KeyboardInterrupt):
            run(make, monkeypatch, tmp_path)
    assert seen == [1]
