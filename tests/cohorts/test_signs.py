"""Generator 2: frozen numbers, signs that follow the course or do not, and what they are worth."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from cohorts.errors import CohortError
from cohorts.synthetic.generators import choose_generator
from cohorts.synthetic.parameters import GeneratorParameters
from cohorts.synthetic.signs.emulation import MEASURES, SignReader
from cohorts.synthetic.signs.lobes import LOBES
from cohorts.synthetic.signs.sampling import Signs, sample_signs
from cohorts.synthetic.tabular import Course, measure_volumes, simulate_course

N = 4000
FROZEN = {
    (1, "strong"): "74658560092ad589c948653b39c0243ec6302948b8f38eadc123fbfbadbba7ac",
    (2, "strong"): "aa6c62b3f0a154b626a80f8e211549752c7f0083d24fe49b0430a2a8703d3b2f",
    (2, "literature"): "162778ba8efca07300c39c11293661180d5e690027741c26e870112ea3c6349f",
    (2, "null"): "b3575527d45afdb3b05f7b0d73481bd0ba3e14369374d184b98afa714e4c0e04",
}


def draw(signal: str, n: int = N) -> tuple[Course, Signs, GeneratorParameters]:
    parameters = choose_generator(2, signal)
    rng = np.random.default_rng(11)
    course = simulate_course(n, rng=rng, visits_months=(0.0, 48.0), parameters=parameters.cohort)
    signs = sample_signs(
        course.people, course.months / 12, rng=np.random.default_rng(12), parameters=parameters
    )
    assert signs is not None
    return course, signs, parameters


@pytest.mark.parametrize(("number", "signal"), FROZEN)
def test_parameters_are_the_frozen_ones(number: int, signal: str) -> None:
    assert choose_generator(number, signal).digest() == FROZEN[number, signal]


@pytest.mark.parametrize(("number", "signal"), [(3, "strong"), (2, "weak")])
def test_other_generators_are_refused(number: int, signal: str) -> None:
    with pytest.raises(CohortError, match=f"generator {number} with signal '{signal}'"):
        choose_generator(number, signal)


def test_hippocampus_at_75_is_that_of_the_literature() -> None:
    course, _, _ = draw("strong", 20_000)
    volume = course.volumes["hippocampus"][:, 0]
    at_75 = volume[np.abs(course.people.age_years - 75) < 1.5]
    assert at_75.mean() == pytest.approx(6700, abs=4 * at_75.std() / np.sqrt(at_75.size))


def test_generator_1_has_no_signs() -> None:
    course, _, _ = draw("strong", 10)
    rng = np.random.default_rng(1)
    before = rng.bit_generator.state
    found = sample_signs(
        course.people, course.months / 12, rng=rng, parameters=GeneratorParameters()
    )
    assert found is None
    assert rng.bit_generator.state == before


def relate(course: Course, signs: Signs) -> dict[str, float]:
    stage, speed = course.people.stage_years, course.people.speed
    pairs = {
        "contrast": (signs.brightening[:, 0, 2], stage),
        "lesions": (signs.lesion_mm3[:, 0], stage),
        "head": (signs.head_mm, speed),
        "ca1": (signs.ca1_mm, speed),
        "pattern": (signs.pattern_mm, speed),
    }
    return {name: float(spearmanr(*pair)[0]) for name, pair in pairs.items()}


def test_signs_follow_the_course_more_strongly_in_the_strong_world() -> None:
    strong, literature = (relate(*draw(signal)[:2]) for signal in ("strong", "literature"))
    error = 4 / np.sqrt(N)
    assert all(strong[name] > literature[name] + error for name in strong)
    assert all(found > error for found in literature.values())


def test_null_has_the_same_signs_of_a_stranger() -> None:
    course, null, _ = draw("null")
    _, strong, _ = draw("strong")
    error = 4 / np.sqrt(N)
    # lesions follow age in every world, and age the stage of the groups
    found = relate(course, null)
    assert all(abs(found[name]) < error for name in ("contrast", "head", "ca1", "pattern"))
    assert abs(found["lesions"]) < error + 0.15
    for own, other in (
        (null.head_mm, strong.head_mm),
        (null.brightening[:, 0, 2], strong.brightening[:, 0, 2]),
        (np.log(null.lesion_mm3[:, 0]), np.log(strong.lesion_mm3[:, 0])),
    ):
        assert own.mean() == pytest.approx(other.mean(), abs=error * other.std() * np.sqrt(2))
        assert own.std() == pytest.approx(other.std(), rel=0.1)


def test_signs_grow_as_the_disease_advances() -> None:
    _, signs, _ = draw("strong", 200)
    assert (np.diff(signs.lesion_mm3, axis=1) > 0).all()
    assert (np.diff(signs.brightening, axis=1) >= 0).all()
    picked = signs.pick(3, np.array([1]))
    assert picked.lesion_mm3 == signs.lesion_mm3[3, 1:]


def gain(signal: str) -> float:
    """Return what the signs, seen with noise, add to a linear regression on the table."""
    course, signs, parameters = draw(signal)
    rng = np.random.default_rng(13)
    table = measure_volumes(course, rng, parameters.cohort)
    people = course.people
    known = [people.age_years, people.n_alleles, people.group == 1, people.group == 2]
    known += [np.log(own[:, 0]) for own in table.values()]
    seen = [*signs.brightening[:, 0].T, np.log(signs.lesion_mm3[:, 0])]
    seen += [signs.head_mm, signs.ca1_mm, signs.pattern_mm]
    seen = [own + own.std() * rng.standard_normal(N) for own in seen]
    volume = course.volumes["hippocampus"]
    change = volume[:, 1] / volume[:, 0] - 1
    half = np.arange(N) % 2 == 0

    def rank(columns: list[np.ndarray]) -> float:
        x = np.stack([np.ones(N), *columns], axis=1)
        found = np.empty(N)
        for fitted_on in (half, ~half):
            weights = np.linalg.lstsq(x[fitted_on], change[fitted_on], rcond=None)[0]
            found[~fitted_on] = x[~fitted_on] @ weights
        return float(spearmanr(found, change)[0])

    return rank(known + seen) - rank(known)


def test_scans_help_in_the_signal_worlds_and_not_in_the_null() -> None:
    error = 0.55 / np.sqrt(N)
    strong, literature, null = (gain(signal) for signal in ("strong", "literature", "null"))
    assert abs(null) < 3 * error
    assert literature > 0
    assert strong > literature + 3 * error


SHOWN = ["contrast_occipital", "head_share", "ca1_share", "thickness_temporal"]


def make_rendered(n: int, weights: np.ndarray) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    names = [f"sign_brightening_{lobe}" for lobe in LOBES]
    names += ["sign_head_mm", "sign_ca1_mm", "sign_pattern_mm"]
    people = pd.DataFrame(rng.normal(size=(n, len(names))), columns=names)
    people["sign_lesion_mm3"] = np.exp(rng.normal(8, 1, n))
    people["true_cerebral_cortex"] = np.exp(rng.normal(8, 0.1, n))
    own = [names[3], "sign_head_mm", "sign_ca1_mm", "sign_pattern_mm"]
    shown = people[own].to_numpy() * weights
    people[[f"ideal_{name}" for name in MEASURES]] = rng.normal(size=(n, len(MEASURES)))
    people[[f"ideal_{name}" for name in SHOWN]] += shown
    return people


def test_emulated_measures_relate_to_signs_as_the_rendered_ones() -> None:
    weights = np.array([1.0, -0.5, 0.7, 2.0])
    rendered = make_rendered(400, weights)
    people = make_rendered(N, weights)
    found = SignReader.fit(rendered).emulate(people, np.random.default_rng(2))
    own = ["sign_brightening_occipital", "sign_head_mm", "sign_ca1_mm", "sign_pattern_mm"]
    slopes = [
        np.polyfit(people[sign], found[name], 1)[0] for sign, name in zip(own, SHOWN, strict=True)
    ]
    assert slopes == pytest.approx(weights, abs=4 / np.sqrt(400))
    assert found[SHOWN].std().to_numpy() == pytest.approx(np.sqrt(1 + weights**2), rel=0.15)


def test_a_generator_whose_numbers_change_has_another_digest() -> None:
    own = choose_generator(2)
    assert own.signs is not None
    other = replace(own, signs=replace(own.signs, head_sd_mm=0.6))
    assert other.digest() != own.digest()
