"""The document that says whether this installation computes what it should.

Installation qualification: what is installed. Operational qualification: published values computed
again, and simulated trials whose error rates are known.
"""

import platform
from collections.abc import Iterator
from datetime import datetime
from typing import Final

import numpy as np
import pandas as pd

from reports.figures.labels import analysis_label
from reports.page.columns import build_facts, build_table, number, words
from reports.page.content import Answer, Page, Section
from reports.page.formats import show_count, show_now, show_share
from reports.page.labels import label_blocks, number_sections
from reports.page.sections.methods.limits import describe_reference_values
from reports.store.provenance import collect_versions
from trialsim import __version__
from trialsim.analysis import fit_ancova, fit_change, fit_mmrm
from trialsim.analytic import means
from trialsim.analytic.anchors import check_anchors
from trialsim.study.installation.examination import examine_installation

SEED: Final = 20260101
_N_TRIALS: Final = 4000
_N_PER_ARM: Final = 40
_VISITS: Final = (0.0, 12.0, 24.0)
_CORRELATION: Final = 0.6
_EFFECT: Final = 0.6
_ALPHA: Final = 0.05
_MOST_ERRORS: Final = 3.5
"""A correct analysis lies further off once in two thousand checks."""

_LINE: Final = "_" * 24
_ANALYSES: Final = {"change": fit_change, "ancova": fit_ancova, "mmrm": fit_mmrm}


def compose_qualification(moment: datetime) -> Page:
    """Return the qualification of this installation as a page.

    Parameters
    ----------
    moment
        When it is made, with its time zone.
    """
    installed, anchors, simulated = examine_installation(), check_anchors(), check_simulations()
    problems = int((installed["verdict"] == "problem").sum())
    failed = int((~anchors["passes"]).sum() + (~simulated["passes"]).sum())
    total = len(anchors) + len(simulated)
    verdict = "is qualified" if not problems + failed else "is NOT qualified"
    headline = (
        f"This installation {verdict}: {total - failed} of {total} checks pass, the installation "
        f"has {problems} problems."
    )
    page = Page(
        title=f"Installation and operational qualification of trialsim {__version__}",
        answer=Answer(headline),
        sections=number_sections(
            (
                _describe_installation(installed),
                _as_section(describe_reference_values(anchors)),
                _describe_simulations(simulated),
                _describe_signatures(),
            )
        ),
        runs=(),
        is_synthetic=False,
        written=moment,
        facts=(("Machine", platform.platform()), ("Written", show_now(moment))),
    )
    return label_blocks(page)


def check_simulations(*, n_trials: int = _N_TRIALS) -> pd.DataFrame:
    """Simulate trials without an effect, and with one whose power the closed form gives.

    Returns
    -------
    pandas.DataFrame
        `check`, `seed`, `n_trials`, `expected`, `simulated`, `mcse` (Monte Carlo standard error),
        `passes` (within 3.5 standard errors).
    """
    found = pd.DataFrame(_simulate(n_trials))
    apart = (found["simulated"] - found["expected"]).abs()
    return found.assign(passes=apart <= _MOST_ERRORS * found["mcse"])


def _simulate(n_trials: int) -> Iterator[dict[str, object]]:
    treatment = np.repeat([0.0, 1.0], _N_PER_ARM)
    times = np.array(_VISITS)
    apart = np.abs(times[:, None] - times[None, :]) / 12
    root = np.linalg.cholesky(_CORRELATION**apart)
    # change of two visits that are two years apart, unit variance at each
    sd = float(np.sqrt(2 * (1 - _CORRELATION ** apart[0, -1])))
    power = float(means(delta=_EFFECT, sd=sd, n_control=_N_PER_ARM, alpha=_ALPHA).power)
    for place, (name, fit) in enumerate(_ANALYSES.items()):
        cases = [("type I error", 0.0, _ALPHA)]
        cases += [("power, against the closed form", _EFFECT, power)] if name == "change" else []
        for case, (what, effect, expected) in enumerate(cases):
            rng = np.random.default_rng([SEED, place, case])
            noise = rng.standard_normal((n_trials, 2 * _N_PER_ARM, len(times))) @ root.T
            outcome = noise + effect * treatment[None, :, None] * (times == times[-1])
            rejected = fit(outcome, treatment, times).p_value < _ALPHA
            yield {
                "check": f"{analysis_label(name)}: {what}",
                "seed": f"{SEED}, {place}, {case}",
                "n_trials": n_trials,
                "expected": expected,
                "simulated": float(rejected.mean()),
                "mcse": float(np.sqrt(expected * (1 - expected) / n_trials)),
            }


def _describe_installation(installed: pd.DataFrame) -> Section:
    rules = [words("what", "What"), words("found", "Found"), words("verdict", "Verdict")]
    # the place of the packages is a path of this machine
    shown = installed.assign(found=installed["found"].str.replace(r" in /.*", "", regex=True))
    software = build_facts("Software", collect_versions().items())
    looked_at = build_table(shown, rules, title="What was looked at", is_data=False)
    return Section("Installation", (software, looked_at))


def _as_section(section: Section) -> Section:
    return Section(section.title, section.blocks)


def _describe_simulations(simulated: pd.DataFrame) -> Section:
    frame = simulated.assign(verdict=simulated["passes"].map({True: "passes", False: "FAILS"}))
    rules = [
        words("check", "Simulated check"),
        words("seed", "Seed"),
        number("n_trials", "Trials", show_count),
        number("expected", "Expected", _show_rate),
        number("simulated", "Simulated", _show_rate),
        number("mcse", "Monte Carlo SE", _show_rate),
        words("verdict", "Verdict"),
    ]
    note = (
        f"Trials of {_N_PER_ARM} people an arm, three visits. A check passes within "
        f"{_MOST_ERRORS:g} Monte Carlo standard errors of what is expected."
    )
    table = build_table(frame, rules, title="Simulated checks", note=note, is_data=False)
    return Section("Simulated trials", (table,))


def _describe_signatures() -> Section:
    roles = ("Installed by", "Checked by", "Approved by")
    frame = pd.DataFrame({"role": roles, "name": _LINE, "date": _LINE, "signature": _LINE})
    rules = [words(name, name.capitalize(), lambda text: str(text)) for name in frame.columns]
    return Section("Signatures", (build_table(frame, rules, title="Signatures", is_data=False),))


def _show_rate(value: float) -> str:
    return show_share(value, digits=2)
