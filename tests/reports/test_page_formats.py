"""Formatting of numbers: digits, units, intervals, missing values."""

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from reports.page import formats
from reports.page.description import StudyDescription
from reports.page.render.html import mark_code
from reports.page.sections.gaps import show_setting
from reports.page.sections.people.mechanism import describe_sites

NBSP = "\u00a0"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, "0"),
        (1234.5, "1,234"),
        (0.01234, "0.0123"),
        (-3.456, "\u22123.46"),
        (7.4, "7.40"),
        (999.99, "1,000"),
        (1e-12, "0.00000000"),
        (None, "\u2013"),
        (np.nan, "\u2013"),
    ],
)
def test_number_has_three_significant_digits(value: float | None, expected: str) -> None:
    assert formats.show_number(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"), [(50.2, "51"), (50.0, "50"), (50.0000000001, "50"), (1e4, "10,000")]
)
def test_sample_size_is_rounded_up(value: float, expected: str) -> None:
    assert formats.show_size(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.4, f"40{NBSP}%"), (0.125, f"12.5{NBSP}%"), (1.0, f"100{NBSP}%"), (0.29, f"29{NBSP}%")],
)
def test_fraction_has_no_needless_digits(value: float, expected: str) -> None:
    assert formats.show_fraction(value) == expected


@pytest.mark.parametrize(
    ("value", "currency", "expected"),
    [
        (6_310_000, "EUR", f"EUR 6.31{NBSP}million"),
        (90_000, "", "90,000"),
        (352_710, "EUR", f"EUR 0.353{NBSP}million"),
        (-2_500_000, "USD", f"USD \u22122.50{NBSP}million"),
        (np.nan, "EUR", "\u2013"),
    ],
)
def test_money_is_in_millions_where_it_is_that_large(
    value: float, currency: str, expected: str
) -> None:
    assert formats.show_money(value, currency) == expected


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.1, 0.2, f"10.0 to 20.0{NBSP}%"),
        (-0.1, 0.2, f"\u221210.0 to 20.0{NBSP}%"),
        (0.1, np.nan, f"10.0{NBSP}% or more"),
        (np.nan, 0.2, f"up to 20.0{NBSP}%"),
        (np.nan, np.nan, "\u2013"),
    ],
)
def test_interval_names_its_ends(low: float, high: float, expected: str) -> None:
    assert formats.show_interval(low, high, formats.show_share) == expected


def test_ends_in_different_units_are_not_joined_by_a_dash() -> None:
    shown = formats.show_interval(35_271, 4_490_000, formats.show_money)
    assert shown == f"35,271 to 4.49{NBSP}million"
    shown = formats.show_interval(-4_490_000, 35_271, formats.show_money)
    assert shown == f"\u22124.49{NBSP}million to 35,271"


@pytest.mark.parametrize(
    ("value", "expected"), [(0.0004, "<0.001"), (0.0126, "0.013"), (1.0, "1.000")]
)
def test_small_p_values_are_not_zero(value: float, expected: str) -> None:
    assert formats.show_p_value(value) == expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [(0.0004, f"<0.1{NBSP}%"), (0.0, f"0.0{NBSP}%"), (0.0062, f"0.6{NBSP}%")],
)
def test_standard_error_that_rounds_to_zero_is_not_zero(error: float, expected: str) -> None:
    assert formats.show_error(error, formats.show_share) == expected


def test_settings_are_shown_with_their_units() -> None:
    assert show_setting(0.3, "dropout_treatment") == f"30{NBSP}%"
    assert show_setting((0.0, 12.0, 24.5)) == "0, 12, 24.5"
    assert show_setting(("random", "brlp"), "strategies") == "Random, BrLP"
    assert show_setting(None) == "not recorded"
    many = [place / 250 for place in range(1, 251)]
    assert show_setting(many, "fractions_enrolled") == f"250 from 0.4{NBSP}% to 100{NBSP}%"


@pytest.mark.parametrize(
    ("seconds", "expected"), [(3.21, "3.2 s"), (125, "2 min 5 s"), (7260, "2 h 1 min")]
)
def test_duration_is_readable(seconds: float, expected: str) -> None:
    start = pd.Timestamp("2026-01-01")
    assert formats.show_duration(start, start + pd.Timedelta(seconds=seconds)) == expected


def test_moments_name_their_zone() -> None:
    assert formats.show_time(pd.Timestamp("2026-01-02 03:04:05")) == "2026-01-02 03:04 UTC"
    assert formats.show_now(datetime(2026, 1, 2, 3, 4, tzinfo=UTC)) == "2026-01-02 03:04 UTC"


def test_text_is_one_line_of_limited_length() -> None:
    assert formats.show_text("a\nb\tc") == "a b c"
    assert len(formats.show_text("x" * 10_000)) == 200
    assert formats.show_text("a\x1b[31mb\u202ec\u200b") == r"a\x1b[31mb\u202ec\u200b"


def test_code_is_marked_after_escaping() -> None:
    assert mark_code("run `a <b>` & c") == "run <code>a &lt;b&gt;</code> &amp; c"


def test_sites_are_told_with_what_the_trial_makes_of_them() -> None:
    asked = StudyDescription(
        unit="mm3", sites_n=20, sites_sd=150.0, sites_change_sd=0.0,
        sites_randomization="stratified", sites_effect="random",
    )  # fmt: skip
    assert describe_sites(asked) == (
        "People are at 20 sites of equal size whose SD is 150 mm³ in the level of an outcome; they "
        "are randomized stratified by site, and the analysis has a random effect of the site."
    )
    assert describe_sites(StudyDescription(sites_n=1)) == ""
