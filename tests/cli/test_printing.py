"""Tables on screen: titles in words, people whole, fractions as given, nothing that steers."""

import json

import pandas as pd
import pytest

from trialsim.cli.answering.printing import print_json, print_table


def show(frame: pd.DataFrame, capsys: pytest.CaptureFixture[str]) -> list[list[str]]:
    print_table(frame)
    return [line.split() for line in capsys.readouterr().out.splitlines()]


def test_numbers_are_read_as_they_are_meant(capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.DataFrame(
        {
            "fraction_enrolled": [0.25, 1.0],
            "n_control": [50.2, 60.0],
            "cost": [1234567.0, 0.0],
            "chance_p_value": [0.00001, 0.5],
            "seed": [20261128.0, None],
        }
    )
    head, first, second = show(frame, capsys)
    assert head == ["fraction", "enrolled", "control", "cost", "chance", "p", "value", "seed"]
    assert first == ["0.25", "51", "1,234,567", "<0.001", "20261128"]
    assert second == ["1", "60", "0", "0.500"]


def test_costs_stand_only_where_something_costs(capsys: pytest.CaptureFixture[str]) -> None:
    head, row = show(pd.DataFrame({"n": [3], "cost": [0.0]}), capsys)
    assert (head, row) == (["People"], ["3"])


def test_exact_sizes_stand_beside_rounded_ones(capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.DataFrame({"n_control": [63.7656], "n_control_rounded": [64]})
    assert show(frame, capsys)[1] == ["63.7656", "64"]


def test_text_of_the_data_steers_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(pd.DataFrame({"name": ["[red]a\x1b[2Jb", "‮c"]}))
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "‮" not in out
    assert "[red]a" in out


def test_text_that_is_cut_ends_in_dots(capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.DataFrame({"command": ["x" * 70, "y" * 71]})
    assert show(frame, capsys)[1:] == [["x" * 70], ["y" * 67 + "..."]]
    print_table(frame, widest=None)
    assert "y" * 71 in capsys.readouterr().out


def test_scripts_get_every_digit(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(pd.DataFrame({"cost": [0.0], "p_value": [0.00002]}), as_json=True)
    assert '"p_value":0.00002' in capsys.readouterr().out.replace(" ", "")


def test_json_is_what_every_reader_takes(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"p": [0.5, float("nan")], "n": {"most": float("inf")}})
    found = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert found == {"p": [0.5, None], "n": {"most": None}}


def test_a_long_table_is_cut_on_a_terminal_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = pd.DataFrame({"participant_id": [f"sub-{place}" for place in range(1500)]})
    assert len(show(frame, capsys)) == 1501
    monkeypatch.setenv("FORCE_COLOR", "1")
    lines = show(frame, capsys)
    assert len(lines) == 62
    assert lines[-1][:3] == ["...", "and", "1,440"]


def test_moments_say_that_they_are_in_utc(capsys: pytest.CaptureFixture[str]) -> None:
    ended = pd.to_datetime(["2026-11-30 20:48:06.074", None])
    frame = pd.DataFrame({"ended_at": ended, "seed": [1, 2]})
    print_table(frame)
    print_table(frame, as_json=True)
    shown = capsys.readouterr().out
    assert "2026-11-30 20:48:06 UTC" in shown
    assert '"ended_at":"2026-11-30T20:48:06.074Z"' in shown
    assert '"ended_at":null' in shown
    assert "NaT" not in shown
