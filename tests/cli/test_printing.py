"""Tables on a screen: numbers as given, small p-values, no columns of costs without costs."""

import pandas as pd
import pytest

from trialsim.cli.printing import print_table


def test_numbers_are_shown_as_given(capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.DataFrame(
        {
            "fraction_enrolled": [0.25, 0.5],
            "chance_p_value": [0.00002, 0.04],
            "n_control": [112.5967, float("nan")],
            "cost": [0.0, float("nan")],
        }
    )
    print_table(frame)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        ["fraction_enrolled", "chance_p_value", "n_control"],
        ["0.25", "<0.001", "112.597"],
        ["0.5", "0.04"],
    ]


def test_costs_are_shown_where_there_are_costs(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(pd.DataFrame({"cost": [0.0, 25_000.0]}))
    assert capsys.readouterr().out.split() == ["cost", "0", "25000"]


def test_scripts_get_every_digit(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(pd.DataFrame({"cost": [0.0], "p_value": [0.00002]}), as_json=True)
    assert '"p_value":0.00002' in capsys.readouterr().out.replace(" ", "")
