"""Names are checked once, and what is wrong with them reaches no path, pattern or terminal."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cohorts.errors import CohortError
from cohorts.identifiers import PLAIN, find_fault, show_plainly
from cohorts.sources.loading import load_cohort

SOUND = ["sub-01", "003_S_1234", "OAS30001", "Müller 7", "a" * 128, "ID+2@home", "名前"]
UNSOUND = {
    "../zz": "part of a path",
    "a/b": "part of a path",
    "a\\b": "part of a path",
    "..": "part of a path",
    "sub-*": "wildcard",
    "sub-0[1]": "wildcard",
    "sub-\u202e10": "invisible",
    "sub-\x1b[31m": "invisible",
    "a" * 129: "129 characters",
}


@pytest.mark.parametrize("name", SOUND)
def test_a_sound_name_has_no_fault(name: str) -> None:
    assert find_fault(name) is None


def test_a_zero_width_character_is_a_fault() -> None:
    assert "invisible" in str(find_fault("sub-\u200b1"))


@pytest.mark.parametrize("name", UNSOUND)
def test_an_unsound_name_is_refused_where_a_table_is_read(name: str, tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text(f'participant_id,age,sex,diagnosis\n"{name}",70,F,CN\nok,71,M,CN\n')
    with pytest.raises(CohortError, match=UNSOUND[name]) as caught:
        load_cohort(path)
    assert all(char.isprintable() or char == "\n" for char in str(caught.value))
    found = load_cohort(path, quarantine=True)
    assert found.participants["participant_id"].tolist() == ["ok"]


@given(st.text(max_size=140))
def test_what_looks_plain_has_no_fault_and_can_be_shown(name: str) -> None:
    if re.fullmatch(PLAIN, name):
        assert find_fault(name) is None
    assert all(char.isprintable() or char == "\n" for char in show_plainly(name))


@pytest.mark.parametrize("name", ["sub-*", "../outside/sub-9"])
def test_a_dataset_is_never_left_for_a_name(name: str, tmp_path: Path) -> None:
    root = tmp_path / "bids"
    for folder in (root / "sub-01", tmp_path / "outside/sub-9"):
        (folder / "ses-01").mkdir(parents=True)
    (root / "participants.tsv").write_text(
        f"participant_id\tage\tsex\tdiagnosis\nsub-01\t70\tF\tCN\n{name}\t71\tM\tCN\n"
    )
    with pytest.raises(CohortError, match="a plain name is expected"):
        load_cohort(root)
    found = load_cohort(root, quarantine=True)
    assert found.visits["participant_id"].tolist() == ["sub-01"]


def test_a_word_longer_than_any_name_is_cut() -> None:
    told = show_plainly(f"row 2: got '{'y' * 3000}' (participant {'y' * 3000}).")
    assert len(told) < 200
    assert "characters)" in told
    path = "/".join(["folder" * 40] * 20)
    assert show_plainly(path) == path
