"""A person's scans in one page that makes no request."""

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cohorts.images import VolumeImage
from reports.errors import ReportError
from reports.viewer.page import Layer, collect_layers, render_viewer

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])
COURSE = pd.DataFrame(
    {
        "region": "lateral_ventricle",
        "horizon_months": [24.0, 12.0],
        "volume_mm3": [3300.0, 3400.0],
        "volume_sd_mm3": [50.0, np.nan],
        "baseline_volume_mm3": [3500.0, 3500.0],
    }
)


def make_images(loss: float = 0.1) -> dict[tuple[str, float], VolumeImage]:
    start = np.random.default_rng(0).random((20, 24, 20))
    found = {("reconstructed", 0.0): VolumeImage(start, AFFINE)}
    for months in (12.0, 24.0):
        found["predicted", months] = VolumeImage(start * (1 - loss * months / 24), AFFINE)
        found["uncertainty", months] = VolumeImage(np.full(start.shape, 0.1), AFFINE)
    return found


def test_the_difference_is_that_of_the_prediction_and_the_decoded_baseline() -> None:
    layers = collect_layers(make_images())
    (late,) = [one for one in layers if one.kind == "difference" and one.horizon_months == 24]
    start = layers[0].image.voxels
    np.testing.assert_allclose(late.image.voxels, -0.1 * start)


def test_hostile_names_stay_text_and_only_our_scripts_run() -> None:
    page = render_viewer(
        "</script><img src=x onerror=alert(1)>", collect_layers(make_images()), COURSE,
        is_synthetic=True,
    )  # fmt: skip
    assert "<img src=x" not in page
    assert page.count("<script>") == 3 == page.count("</script>")
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy is not None
    assert policy[1].startswith("default-src 'none'; script-src 'sha256-")
    assert "SYNTHETIC" in page
    assert "PREDICTED by a model" in page


def test_the_table_says_of_which_region_it_is() -> None:
    page = render_viewer("a", collect_layers(make_images()), COURSE, is_synthetic=True)
    assert "<caption>Predicted volume: lateral ventricle</caption>" in page
    page = render_viewer("a", collect_layers(make_images()), COURSE.iloc[:0], is_synthetic=True)
    assert "<caption>" not in page


def test_images_on_other_grids_are_refused() -> None:
    layers = collect_layers(make_images())
    wrong = Layer("predicted", 12.0, VolumeImage(np.zeros((2, 2, 2)), AFFINE))
    with pytest.raises(ReportError, match="one grid"):
        render_viewer("person 1", [*layers, wrong], COURSE, is_synthetic=False)
    with pytest.raises(ReportError, match="no scans"):
        render_viewer("person 1", [], COURSE, is_synthetic=False)


def test_an_altered_viewer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reports.viewer.page.NIIVUE_SHA256", "0" * 64)
    monkeypatch.setattr("reports.viewer.page._read_niivue", _read_unkept())
    with pytest.raises(ReportError, match="altered"):
        render_viewer("person 1", collect_layers(make_images()), COURSE, is_synthetic=False)


def _read_unkept() -> Any:
    from reports.viewer import page

    return page._read_niivue.__wrapped__


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH")
def test_it_draws_from_a_disk_without_a_request(tmp_path: Path) -> None:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = tmp_path / "scans.html"
    path.write_text(
        render_viewer("person 1", collect_layers(make_images()), COURSE, is_synthetic=True),
        encoding="utf-8",
    )
    flags = ["--headless", "--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader",
             "--enable-unsafe-swiftshader"]  # fmt: skip
    said: list[str] = []
    asked: list[str] = []
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        page = browser.new_page(viewport={"width": 375, "height": 900})
        page.on("console", lambda one: one.type == "error" and said.append(one.text))
        page.on("pageerror", lambda one: said.append(str(one)))
        page.on("request", lambda one: asked.append(one.url))
        page.goto(path.as_uri())
        # the page's own policy forbids what `wait_for_function` does
        page.wait_for_selector("#told:empty", state="attached", timeout=60_000)
        drawn = page.locator("#scan").bounding_box()
        assert drawn is not None
        assert drawn["height"] > 500  # the scans are what the page is for
        assert page.locator("#months").inner_text() == "24 months after baseline"
        page.locator("#horizon").focus()
        page.keyboard.press("ArrowLeft")
        assert page.locator("#months").inner_text() == "12 months after baseline"
        page.get_by_label("Uncertainty").check()
        assert page.evaluate("document.documentElement.scrollWidth") <= 375
        page.screenshot(path=str(tmp_path / "viewer.png"), full_page=True)
        browser.close()
    assert not said
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
