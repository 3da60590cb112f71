"""Every figure: drawn from its table, honest about it, unmoved by hostile names."""

from collections.abc import Callable

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from reports import figures
from reports.errors import ReportError
from reports.figures.cohort import list_panels
from reports.figures.export import render_svg
from reports.figures.scan_panels import Hippocampi, ScanScale

Tables = dict[str, pd.DataFrame]
HOSTILE = "_<script>alert('$x^{$\\frac')</script>\n=1+1 \U0001f9e0 " + "x" * 10_000


def one_analysis(tables: Tables, name: str) -> pd.DataFrame:
    return tables[name][tables[name]["analysis"] == "mmrm"]


def cheapest(tables: Tables) -> pd.DataFrame:
    return one_analysis(tables, "cheapest_fractions").query("choice == 'fraction'")


def at_forty_percent(tables: Tables) -> pd.DataFrame:
    return tables["group_differences"].query("fraction_enrolled == 0.4")


DRAWN: dict[str, Callable[[Tables], Figure]] = {
    "cohort": lambda t: figures.plot_cohort_overview(
        figures.count_cohort(t["participants"], t["visits"])
    ),
    "screening": lambda t: figures.plot_screening_flow(t["screening_flow"]),
    "prediction": lambda t: figures.plot_predicted_versus_observed(t["predicted_changes"]),
    "capture": lambda t: figures.plot_capture_rates(t["capture_rates"]),
    "power": lambda t: figures.plot_power_curves(t["operating_characteristics"], target_power=0.8),
    "sizes": lambda t: figures.plot_sample_sizes(one_analysis(t, "sample_sizes")),
    "costs": lambda t: figures.plot_costs(one_analysis(t, "sample_sizes"), cheapest(t)),
    "errors": lambda t: figures.plot_error_rates(one_analysis(t, "operating_characteristics")),
    "selection": lambda t: figures.plot_group_differences(at_forty_percent(t)),
    "sensitivity": lambda t: figures.plot_sensitivity(t["sensitivity"]),
}


def with_hostile_names(tables: Tables) -> Tables:
    renamed = {"brlp": HOSTILE, "age_years": HOSTILE, "Slowing": HOSTILE, "mmrm": "mmrm"}
    text = ("strategy", "covariate", "parameter", "criterion", "site")
    return {
        name: frame.assign(**{c: frame[c].replace(renamed) for c in text if c in frame})
        for name, frame in tables.items()
    }


# the page of the example, and that of hostile text, hold them all
OTHERS = [pytest.param(name, marks=pytest.mark.slow) for name in DRAWN if name != "capture"]


@pytest.mark.parametrize("name", ["capture", *OTHERS])
def test_figure_is_drawn_from_its_table(name: str, study_tables: Tables) -> None:
    svg = render_svg(DRAWN[name](study_tables), prefix=name)
    assert svg.startswith("<svg")
    assert svg.count("<path") > 5


@pytest.mark.parametrize("name", ["capture", *OTHERS])
def test_hostile_names_stay_text(name: str, study_tables: Tables) -> None:
    svg = render_svg(DRAWN[name](with_hostile_names(study_tables)), prefix=name)
    assert "<script" not in svg
    assert len(svg) < 400_000


def test_capture_figure_draws_the_chance_of_the_table(study_tables: Tables) -> None:
    rates = study_tables["capture_rates"]
    lines = figures.plot_capture_rates(rates).axes[0].lines
    (chance,) = [line for line in lines if str(line.get_label()).startswith("Chance")]
    expected = rates.drop_duplicates("n_selected").sort_values("n_selected")["chance_rate"]
    np.testing.assert_allclose(np.asarray(chance.get_ydata(), float), expected)


@pytest.mark.parametrize(("alpha", "sides"), [(0.05, 2), (0.025, 1)])
def test_coverage_is_held_against_the_interval_whose_ends_are_the_tests(
    alpha: float, sides: int, study_tables: Tables
) -> None:
    table = one_analysis(study_tables, "operating_characteristics")
    error, coverage = figures.plot_error_rates(table, alpha=alpha, sides=sides).axes
    for axes, expected in ((error, alpha), (coverage, 0.95)):
        np.testing.assert_allclose(np.asarray(axes.lines[0].get_ydata(), float), expected)
    assert coverage.get_title("left") == "Coverage of the 95\u00a0% interval"


def test_power_curve_stands_at_the_total_of_both_arms(study_tables: Tables) -> None:
    table = study_tables["operating_characteristics"].query(
        "strategy == 'brlp' and fraction_enrolled == 0.4 and analysis == 'mmrm'"
    )
    curve = figures.plot_power_curves(table).axes[0].lines[0]
    np.testing.assert_array_equal(
        np.asarray(curve.get_xdata()), table["n_control"] + table["n_treatment"]
    )


def test_widest_bar_of_the_tornado_is_on_top(study_tables: Tables) -> None:
    axes = figures.plot_sensitivity(study_tables["sensitivity"]).axes[0]
    labels = [tick.get_text() for tick in axes.get_yticklabels()]
    assert labels[-1] == "Slowing"


def test_love_plot_is_symmetric_about_zero(study_tables: Tables) -> None:
    low, high = figures.plot_group_differences(at_forty_percent(study_tables)).axes[0].get_xlim()
    assert low == -high


def make_image(seed: int, *, shift: float = 0.0) -> nib.nifti1.Nifti1Image:
    affine = np.diag([4.0, 4.0, 4.0, 1.0])
    affine[:3, 3] = -32 + shift
    values = np.random.default_rng(seed).random((16, 16, 16))
    return nib.nifti1.Nifti1Image(values, affine)  # type: ignore[no-untyped-call]


def test_scan_panel_has_a_row_for_each_image() -> None:
    figure = figures.plot_scan_panel(make_image(0), make_image(1), make_image(2), title=HOSTILE)
    words = {axes.get_ylabel().replace("\n", " ") for axes in figure.axes}
    assert {"Baseline", "Predicted", "Difference", "Uncertainty, SD"} <= words


def test_scan_panel_cuts_through_the_hippocampi() -> None:
    axes = figures.plot_scan_panel(make_image(0), make_image(1)).axes[0]
    assert axes.get_title("left") == "Sagittal, x = 27 mm"
    # world millimeters 25 to 29 are voxel 15 of the grid that starts at -32 - 2 mm
    expected = np.asarray(make_image(0).dataobj)[15].T
    np.testing.assert_allclose(np.asarray(axes.images[0].get_array()), expected)


def make_hippocampi(at_voxel: tuple[int, int, int], half_size: int) -> nib.nifti1.Nifti1Image:
    """Return a box of which every voxel is filled, on the grid of `make_image`."""
    image = make_image(0)
    share = np.zeros(image.shape)
    share[tuple(slice(middle - half_size, middle + half_size + 1) for middle in at_voxel)] = 1
    return nib.nifti1.Nifti1Image(share, image.affine)  # type: ignore[no-untyped-call]


def test_scan_panel_cuts_where_the_hippocampi_are_and_outlines_them() -> None:
    before, after = make_hippocampi((9, 5, 4), 2), make_hippocampi((9, 5, 4), 1)
    figure = figures.plot_scan_panel(
        make_image(0), make_image(1), hippocampi=Hippocampi(before, after)
    )
    whole, zoom, predicted, difference = (figure.axes[3 * row : 3 * row + 3] for row in range(4))
    # of the right half, voxels 9 to 11; then the middles of all; the grid starts at -32 mm
    titles = [axes.get_title("left").partition(", ")[2] for axes in whole]
    assert titles == ["x = 8 mm", "y = -12 mm", "z = -16 mm"]
    assert [len(axes.collections) for axes in (*whole, *difference)] == [0, 0, 0, 1, 1, 1]
    # half way between a filled and an empty voxel of 4 mm
    for axes, half_mm in ((zoom[1], [10.0]), (predicted[1], [10.0, 6.0])):
        for outline, expected in zip(axes.collections, half_mm, strict=True):
            points = outline.get_paths()[0].vertices
            np.testing.assert_allclose(points.max(axis=0) - points.min(axis=0), 2 * expected)
            np.testing.assert_allclose((points.max(axis=0) + points.min(axis=0)) / 2, [4.0, -16.0])
    low, high = zoom[1].get_xlim()
    assert low < 4 - 10 < 4 + 10 < high


def test_scan_panel_of_a_flipped_grid_is_the_same() -> None:
    def flip(image: nib.nifti1.Nifti1Image) -> nib.nifti1.Nifti1Image:
        affine = image.affine @ np.diag([-1.0, 1, 1, 1])
        affine[0, 3] = image.affine[0, 3] + 15 * 4
        values = np.asarray(image.dataobj)[::-1]
        return nib.nifti1.Nifti1Image(values, affine)  # type: ignore[no-untyped-call]

    drawn = [
        figures.plot_scan_panel(*images).axes[1].images[0].get_array()
        for images in (
            (make_image(0), make_image(1)),
            (flip(make_image(0)), flip(make_image(1))),
        )
    ]
    np.testing.assert_allclose(np.asarray(drawn[0]), np.asarray(drawn[1]))


def test_one_scale_is_used_for_everyone() -> None:
    scale = ScanScale(0.5, 0.25, 0.125)
    figure = figures.plot_scan_panel(make_image(0), make_image(1), make_image(2), scale=scale)
    limits = {axes.images[0].get_clim() for axes in figure.axes if axes.images}
    assert limits >= {(0.0, 0.5), (-0.25, 0.25), (0.0, 0.125)}


def test_a_scan_is_as_bright_as_what_the_model_made_of_it() -> None:
    decoded, predicted = make_image(0), make_image(1)
    raw = nib.nifti1.Nifti1Image(1000 * decoded.get_fdata(), decoded.affine)  # type: ignore[no-untyped-call]
    shown, asked = (
        figures.plot_scan_panel(decoded, predicted, **scan).axes[0].images[0]
        for scan in ({"scan": raw}, {})
    )
    assert shown.get_clim() == asked.get_clim()
    np.testing.assert_allclose(shown.get_array(), asked.get_array(), rtol=1e-6)


def test_scan_panel_refuses_images_on_two_grids() -> None:
    with pytest.raises(ReportError, match="one grid"):
        figures.plot_scan_panel(make_image(0), make_image(1, shift=1.0))


def test_drawing_leaves_the_settings_of_the_caller_alone(study_tables: Tables) -> None:
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    DRAWN["capture"](study_tables)
    assert dict(mpl.rcParams) == before


def test_unknown_figure_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="plot_nothing"):
        _ = figures.plot_nothing


def test_panels_without_bars_are_left_out(study_tables: dict[str, pd.DataFrame]) -> None:
    people, visits = study_tables["participants"], study_tables["visits"]
    everything = figures.count_cohort(people, visits)
    titles = [axes.get_title(loc="left") for axes in figures.plot_cohort_overview(everything).axes]
    assert titles == [
        "Age at baseline",
        "Sex and diagnosis at baseline",
        "Follow-up",
        "Interval between visits",
    ]
    at_baseline = visits[visits["months_from_baseline"] == 0]
    counts = figures.count_cohort(people, at_baseline)
    few = counts[counts["panel"] != "sex"]
    (age,) = figures.plot_cohort_overview(few).axes
    assert age.get_title(loc="left") == "Age at baseline"
    assert age.patches
    assert [words for words, is_shown in list_panels(few).items() if not is_shown] == [
        "sex and diagnosis at baseline",
        "follow-up",
        "interval between visits",
    ]


def test_bands_of_many_strategies_do_not_hide_each_other(study_tables: Tables) -> None:
    table = study_tables["operating_characteristics"]
    one = table[(table["strategy"] == "brlp") & (table["analysis"] == "mmrm")]
    one = one[one["fraction_enrolled"] == 0.4]
    names = ["random", "brlp", "regression", "oracle"]
    many = pd.concat([one.assign(strategy=name) for name in names], ignore_index=True)
    panels = figures.plot_power_curves(many, target_power=0.8).axes
    assert len(panels) == 4
    assert all(len(axes.collections) == 1 for axes in panels)
    together = figures.plot_power_curves(many[many["strategy"] != "oracle"]).axes
    assert len(together) == 1
