"""Figures as files; files that are whole or absent."""

import os
import re
from pathlib import Path

import pandas as pd
import pytest

from cohorts.errors import StorageError
from cohorts.files.atomic import write_file
from reports import figures
from reports.figures.export import html_id, render_png, render_svg, write_figure
from reports.figures.labels import covariate_label, label_text, percent, strategy_label

Tables = dict[str, pd.DataFrame]


def test_ids_of_two_figures_never_meet(study_tables: Tables) -> None:
    figure = figures.plot_sensitivity(study_tables["sensitivity"])
    first, second = (
        set(re.findall(r'\bid="([^"]+)"', render_svg(figure, prefix=name))) for name in "ab"
    )
    assert first
    assert not first & second


def test_references_inside_a_figure_are_kept(study_tables: Tables) -> None:
    svg = render_svg(figures.plot_sensitivity(study_tables["sensitivity"]), prefix="t")
    named = set(re.findall(r'\bid="([^"]+)"', svg))
    used = set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', svg))
    assert {first or second for first, second in used} <= named


def test_same_figure_gives_the_same_text(study_tables: Tables) -> None:
    drawn = [
        render_svg(figures.plot_sensitivity(study_tables["sensitivity"]), prefix="t")
        for _ in range(2)
    ]
    assert drawn[0] == drawn[1]


def test_png_is_a_png(study_tables: Tables) -> None:
    png = render_png(figures.plot_sensitivity(study_tables["sensitivity"]), dpi=40)
    assert png.startswith(b"\x89PNG")


def test_figure_is_written_with_its_data(study_tables: Tables, tmp_path: Path) -> None:
    data = study_tables["sensitivity"].assign(parameter=["=1+1", "b", "c", "d"])
    figure = figures.plot_sensitivity(study_tables["sensitivity"])
    paths = write_figure(figure, tmp_path / "new", "tornado", {"tornado": data})
    assert [path.name for path in paths] == ["tornado.svg", "tornado.png", "tornado.csv"]
    assert "\n'=1+1," in paths[-1].read_text()


@pytest.mark.parametrize(
    ("text", "expected"),
    [("Brain & <b>", "brain-b"), ("1 a", "x-1-a"), ("", "x-"), ("\U0001f9e0", "x-")],
)
def test_html_ids_hold_only_letters_digits_and_hyphens(text: str, expected: str) -> None:
    assert html_id(text) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a\n\tb", "a b"),
        ("\U0001f9e0 site", "\u25a1 site"),
        ("x" * 50, "x" * 39 + "\u2026"),
        (7, "7"),
    ],
)
def test_labels_fit_on_a_figure(value: object, expected: str) -> None:
    assert label_text(value) == expected


def test_strategies_and_covariates_have_words() -> None:
    assert strategy_label("my_score") == "My score"
    assert strategy_label("oracle") == "Oracle (unattainable bound)"
    assert covariate_label("hippocampus_mm3") == "Hippocampus, mm³"
    assert covariate_label("site site-03") == "Site-03"
    assert covariate_label("diagnosis MCI") == "MCI"
    assert percent(0.125, 1) == "12.5\N{NO-BREAK SPACE}%"


def test_written_file_has_the_content_and_no_companion(tmp_path: Path) -> None:
    path = write_file(tmp_path / "folder" / "a.txt", b"new")
    assert path.read_bytes() == b"new"
    assert os.listdir(path.parent) == ["a.txt"]


def test_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"old")

    def refuse(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", refuse)
    with pytest.raises(StorageError, match=r"No space left on device.*unchanged"):
        write_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StorageError, match="could not be written"):
        write_file(tmp_path / "file" / "a.txt", b"new")
