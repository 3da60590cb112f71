"""Volumes of two tools are told apart, brought to one by a stated model, or refused."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cohorts.cohort import Cohort
from cohorts.errors import CohortError
from cohorts.synthetic import synthesize_table
from cohorts.volumes.harmonization import fit_harmonization, harmonize
from cohorts.volumes.measurement import (
    list_tools,
    list_unlearned,
    name_tool,
    require_one_tool,
    tell_acquisition,
)

FREESURFER, SYNTHSEG = "aseg.stats (FreeSurfer 7)", "SynthSeg 2.0"
FACTOR = 1.08


def make(label: str, seed: int, source: str, n: int = 400) -> Cohort:
    cohort, _ = synthesize_table(
        n, rng=np.random.default_rng(seed), visits_months=(0, 12), label=label
    )
    return replace(cohort, volumes=cohort.volumes.assign(source=source))


def spread(cohort: Cohort, factor: float) -> Cohort:
    volumes = cohort.volumes
    return replace(cohort, volumes=volumes.assign(volume_mm3=volumes["volume_mm3"] * factor))


@pytest.mark.parametrize(
    ("source", "tool"),
    [
        ("aseg.stats (FreeSurfer 7, longitudinal)", "FreeSurfer 7, longitudinal"),
        ("label map", "label map"),
        ("brlp-mini segmenter", "brlp-mini segmenter"),
        ("FreeSurfer 7 (harmonized from SynthSeg 2.0)", "FreeSurfer 7"),
        ("table volumes.csv, longitudinal", None),
        ("synthetic", None),
    ],
)
def test_a_source_names_its_tool(source: str, tool: str | None) -> None:
    assert name_tool(source) == tool


def test_two_tools_are_refused_and_named() -> None:
    screened, archive = make("s", 1, FREESURFER, 5), make("a", 2, SYNTHSEG, 5)
    require_one_tool({"the screened": screened, "the archive": make("b", 3, "table x.csv", 5)})
    with pytest.raises(CohortError) as caught:
        require_one_tool({"the screened": screened, "the archive": archive}, advice="mend it")
    assert "those of the screened by FreeSurfer 7; those of the archive by SynthSeg 2.0" in str(
        caught.value
    )
    assert str(caught.value).endswith("mend it.")


def test_combat_finds_the_factor_between_tools_and_keeps_relative_changes() -> None:
    screened, archive = make("s", 1, FREESURFER), spread(make("a", 2, SYNTHSEG), FACTOR)
    fitted = fit_harmonization([screened, archive], "combat")
    own = fitted.set_index("region").loc["hippocampus"]
    # the residual sd of ln volume is about .13: the standard error with 400 a tool is .009
    assert own["slope"] == pytest.approx(1 / FACTOR, abs=4 * 0.009)
    changed = harmonize(archive, fitted)
    assert list(list_tools(changed).index) == ["FreeSurfer 7"]
    before, after = (
        cohort.volumes.query("region == 'hippocampus'").pivot_table(
            index="participant_id", columns="session_id", values="volume_mm3"
        )
        for cohort in (archive, changed)
    )
    np.testing.assert_allclose(
        after.iloc[:, 1] / after.iloc[:, 0], before.iloc[:, 1] / before.iloc[:, 0]
    )


def test_combat_gives_the_location_of_an_independent_implementation() -> None:
    # neuroCombat 0.2.12 (mean_only, eb=False, a reference batch; ln mm3; age, sex and diagnosis
    # protected) moves these 40 people by -0.06747562 and 0.05725163
    rng = np.random.default_rng(5)
    tool = np.repeat([0, 1], 40)
    age = rng.normal(72, 6, 80).round(1) + 2 * tool
    sex, dx = rng.integers(0, 2, 80), rng.integers(0, 3, 80)
    larger = np.log(7000) - 0.01 * (age - 72) - 0.05 * dx + 0.06 * sex
    larger += rng.normal(0, 1, 80) * np.where(tool == 1, 0.09, 0.12) + 0.08 * tool
    smaller = np.log(1500) + 0.005 * (age - 72) - 0.03 * dx + rng.normal(0, 0.1, 80) - 0.03 * tool
    cohorts = []
    for number, source in enumerate((FREESURFER, SYNTHSEG)):
        people, mine = make("ab"[number], number, source, 40), tool == number
        described = people.participants.assign(
            age_years=age[mine],
            sex=np.where(sex[mine] == 1, "F", "M"),
            diagnosis=np.array(["CN", "MCI", "AD"])[dx[mine]],
        )
        first = people.visits.query("months_from_baseline == 0")["session_id"].iloc[0]
        rows = pd.DataFrame({"participant_id": described["participant_id"], "session_id": first})
        volumes = pd.concat(
            rows.assign(region=region, volume_mm3=np.exp(values[mine]), source=source)
            for region, values in (("hippocampus", larger), ("amygdala", smaller))
        )
        cohorts.append(replace(people, participants=described, volumes=volumes))
    slope = fit_harmonization(cohorts, "combat").set_index("region")["slope"]
    assert np.log(slope["hippocampus"]) == pytest.approx(-0.06747562, abs=1e-8)
    assert np.log(slope["amygdala"]) == pytest.approx(0.05725163, abs=1e-8)


def test_linear_is_fitted_in_people_whom_both_measured() -> None:
    screened, archive = make("s", 1, FREESURFER, 40), make("a", 2, SYNTHSEG, 40)
    own = archive.volumes.drop_duplicates(["participant_id", "region"])
    other = own.assign(source="FreeSurfer 7", volume_mm3=300 + 0.9 * own["volume_mm3"])
    paired = pd.concat([own, other], ignore_index=True)
    fitted = fit_harmonization([screened, archive], "linear", measured_twice=paired)
    assert fitted["slope"].to_numpy() == pytest.approx(0.9)
    assert fitted["intercept_mm3"].to_numpy() == pytest.approx(300, abs=1e-6 * 1.6e6)
    changed = harmonize(archive, fitted).volumes
    expected = 300 + 0.9 * archive.volumes["volume_mm3"]
    np.testing.assert_allclose(changed["volume_mm3"], expected)
    assert set(harmonize(screened, fitted).volumes["source"]) == {FREESURFER}


def test_orthogonal_regression_is_not_attenuated_by_errors_of_both() -> None:
    rng = np.random.default_rng(4)
    truth = rng.normal(7000, 500, 4000)
    people = [f"p{i}" for i in range(4000)]
    paired = pd.concat(
        pd.DataFrame(
            {"participant_id": people, "region": "hippocampus", "source": source,
             "volume_mm3": truth + rng.normal(0, 250, 4000)}
        )
        for source in ("FreeSurfer 7", SYNTHSEG)
    )  # fmt: skip
    cohorts = [make("s", 1, FREESURFER, 5), make("a", 2, SYNTHSEG, 5)]
    cohorts = [
        replace(one, volumes=one.volumes.query("region == 'hippocampus'")) for one in cohorts
    ]
    (slope,) = fit_harmonization(cohorts, "linear", measured_twice=paired)["slope"]
    assert slope == pytest.approx(1.0, abs=0.04)  # least squares: 0.8


def test_too_few_people_are_refused() -> None:
    cohorts = [make("s", 1, FREESURFER, 10), make("a", 2, SYNTHSEG, 10)]
    with pytest.raises(CohortError, match=r"at least 30 people.*got 10 of SynthSeg"):
        fit_harmonization(cohorts, "combat")
    with pytest.raises(CohortError, match=r"cohort\.measured_twice"):
        fit_harmonization(cohorts, "linear")


def test_scanners_that_differ_are_told() -> None:
    people = make("s", 1, FREESURFER, 6)
    field = people.participants.assign(field_strength=[1.5, 3, 3, 3, 3, 3])
    (told,) = tell_acquisition({"screened": replace(people, participants=field)})
    assert told == "People were scanned differently (field_strength; screened: 1.5, 3.0)."


def scan(cohort: Cohort, values: list[str], factor: dict[str, float]) -> Cohort:
    """Return the cohort scanned at field strengths, of which some make volumes larger."""
    field = pd.Series(np.resize(values, len(cohort.participants)))
    of_person = dict(zip(cohort.participants["participant_id"], field, strict=True))
    grown = cohort.volumes["participant_id"].map(of_person).map(factor)
    return replace(
        cohort,
        participants=cohort.participants.assign(field_strength=field.to_numpy()),
        volumes=cohort.volumes.assign(volume_mm3=cohort.volumes["volume_mm3"] * grown),
    )


def test_field_strengths_are_brought_together_where_that_is_stated() -> None:
    scanned = scan(make("s", 1, FREESURFER), ["3.0", "3.0", "1.5"], {"3.0": 1.0, "1.5": FACTOR})
    assert len(list_tools(scanned)) == 1
    assert list(list_tools(scanned, ["field_strength"]).index) == [
        "FreeSurfer 7, field_strength 3.0",
        "FreeSurfer 7, field_strength 1.5",
    ]
    fitted = fit_harmonization([scanned], "combat", by=["field_strength"])
    own = fitted.set_index("region").loc["hippocampus"]
    # the standard error with 133 people at 1.5 T is .13 sqrt(1/133 + 1/267) = .014
    assert own["slope"] == pytest.approx(1 / FACTOR, abs=4 * 0.014)
    changed = harmonize(scanned, fitted, by=["field_strength"])
    assert list(list_tools(changed, ["field_strength"]).index) == [
        "FreeSurfer 7, field_strength 3.0"
    ]
    # what was brought over is not brought over again
    again = harmonize(changed, fitted, by=["field_strength"])
    pd.testing.assert_frame_equal(again.volumes, changed.volumes)


def test_a_visit_on_another_scanner_is_known_from_the_visit() -> None:
    cohort = make("s", 1, "table x.csv", 40)
    later = cohort.visits["months_from_baseline"] > 0
    visits = cohort.visits.assign(scanner=np.where(later, "Prisma", "Trio"))
    moved = replace(cohort, visits=visits)
    assert tell_acquisition({"screened": moved}) == [
        "People were scanned differently (scanner; screened: Prisma, Trio)."
    ]
    own = cohort.volumes[cohort.volumes["session_id"] == cohort.visits["session_id"][0]]
    larger = own.assign(scanner="Prisma", volume_mm3=1.1 * own["volume_mm3"])
    paired = pd.concat([own.assign(scanner="Trio"), larger])
    fitted = fit_harmonization([moved], "linear", by=["scanner"], measured_twice=paired)
    assert set(fitted["reference_source"]) | set(fitted["source"]) == {
        "scanner Trio",
        "scanner Prisma",
    }
    assert fitted["slope"].to_numpy() == pytest.approx(
        1.1 if fitted["reference_source"][0] == "scanner Prisma" else 1 / 1.1
    )


def test_a_scan_of_an_unknown_scanner_is_not_brought_anywhere() -> None:
    cohort = make("s", 1, FREESURFER, 40)
    people = cohort.participants.assign(scanner=[None, *["Trio"] * 39])
    with pytest.raises(CohortError, match=r"volumes belong to visits without scanner"):
        fit_harmonization([replace(cohort, participants=people)], "combat", by=["scanner"])
    with pytest.raises(CohortError, match=r"has no column scanner"):
        fit_harmonization([cohort], "combat", by=["scanner"])


def test_scanners_that_nobody_learned_from_are_named() -> None:
    learned = scan(make("a", 2, FREESURFER, 6), ["1.5"], {"1.5": 1.0})
    applied = scan(make("s", 1, FREESURFER, 6), ["1.5", "3.0"], {"1.5": 1.0, "3.0": 1.0})
    (told,) = list_unlearned(learned, applied)
    assert told.startswith("field_strength 3.0 of ")
    assert list_unlearned(applied, learned) == []
