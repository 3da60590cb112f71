"""`trialsim explore`: on this machine alone, behind a token; a study that is only read."""

import json
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import chdir
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from urllib.error import URLError
from urllib.request import HTTPCookieProcessor, build_opener

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("shiny", reason="the extra `explore` is not installed")
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect
from typer.testing import CliRunner

import trialsim as ts
from reports.store.study import Study
from reports.store.verification import verify_study
from trialsim.cli.app import app
from trialsim.costs import Costs
from trialsim.design import DropOut, TrialDesign
from trialsim.errors import DesignError
from trialsim.explorer.app import _lay_out
from trialsim.explorer.contents import Contents
from trialsim.explorer.downloads import build_page, describe_ways
from trialsim.explorer.prediction_view import list_figures
from trialsim.explorer.scenario import ASSUMED, AssumedSource, Scenario
from trialsim.explorer.serving import build_server, take_port
from trialsim.study.question import ask, describe_values

TOKEN = "a-token"


@pytest.fixture(scope="module")
def contents(explored_study: Path) -> Contents:
    return Contents(explored_study)


def test_nothing_is_answered_without_the_token(contents: Contents) -> None:
    with TestClient(build_server(contents, TOKEN), base_url="http://127.0.0.1") as client:
        assert client.get("/").status_code == 403
        assert client.get("/?token=wrong").status_code == 403
        with pytest.raises(WebSocketDisconnect), client.websocket_connect("/websocket/"):
            pass
        opened = client.get(f"/?token={TOKEN}", follow_redirects=False)
        assert opened.status_code == 303
        # the token does not stay in the address, where histories keep it
        assert TOKEN not in opened.headers["location"]
        assert client.get("/").status_code == 200


def test_a_name_that_points_here_is_not_enough(contents: Contents) -> None:
    with TestClient(build_server(contents, TOKEN), base_url="http://evil.example") as client:
        assert client.get(f"/?token={TOKEN}").status_code == 400


def test_another_page_cannot_open_a_socket(contents: Contents) -> None:
    with TestClient(build_server(contents, TOKEN), base_url="http://127.0.0.1") as client:
        client.get(f"/?token={TOKEN}")
        foreign = {"origin": "http://evil.example"}
        assert client.get("/", headers=foreign).status_code == 403


def test_a_second_explorer_leaves_the_first_one_open(contents: Contents) -> None:
    first, second = (
        TestClient(build_server(of, token), base_url="http://127.0.0.1")
        for of, token in ((contents, TOKEN), (None, "another"))
    )
    # browsers keep one machine's cookies for all its ports
    second.cookies = first.cookies
    with first, second:
        assert first.get(f"/?token={TOKEN}").status_code == 200
        assert second.get("/?token=another").status_code == 200
        assert first.get("/").status_code == 200


def test_no_address_leads_elsewhere_or_ends_in_a_fault(contents: Contents) -> None:
    with TestClient(build_server(contents, TOKEN), base_url="http://127.0.0.1") as client:
        opened = client.get(
            f"http://127.0.0.1//evil.example/?token={TOKEN}", follow_redirects=False
        )
        assert opened.headers["location"] == "/evil.example/"
        for place in ("9" * 5000, "-1", "0x1", "\u0663", str(len(contents.people))):
            assert client.get(f"/view/{place}").status_code == 404


def test_a_browser_that_keeps_the_terminal_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    served = threading.Event()
    monkeypatch.setattr("webbrowser.open", lambda _address: served.wait(10))

    def serve(_contents: object, taken: socket.socket, _token: str) -> None:
        taken.close()
        served.set()

    monkeypatch.setattr("trialsim.explorer.serving.serve", serve)
    started = time.monotonic()
    done = CliRunner().invoke(app, ["explore"])
    assert done.exit_code == 0, done.output
    assert time.monotonic() - started < 8


def test_people_have_numbers_unless_they_are_identified(explored_study: Path) -> None:
    assert set(Contents(explored_study).people["person"].str.split().str[0]) == {"person"}
    named = Contents(explored_study, is_identified=True).people
    assert list(named["person"]) == list(named.index)


def test_sites_have_numbers_unless_they_are_identified(explored_study: Path) -> None:
    def name_rows(contents: Contents) -> set[str]:
        ((*_, draw),) = [one for one in list_figures(contents) if one[0] == "Who is selected"]
        return {label.get_text().lower() for label in draw().axes[0].get_yticklabels()}

    hidden, named = (
        name_rows(Contents(explored_study, is_identified=one)) for one in (False, True)
    )
    assert any("site-" in label for label in named)
    assert not any("site-" in label for label in hidden)
    assert len(hidden) == len(named)


def test_a_page_that_is_downloaded_names_no_site_unless_asked(explored_study: Path) -> None:
    own = Contents(explored_study).protocol
    criteria = own.cohort.model_copy(update={"eligibility": ["site not in site-01"]})
    asked = Scenario(own.design, own.trial_costs, "baseline_volume", 0.5)
    told = {}
    for identify in (False, True):
        contents = Contents(explored_study, is_identified=identify)
        vars(contents)["protocol"] = own.model_copy(update={"cohort": criteria})
        table = contents.source.compute_choices(asked)
        told[identify] = str(build_page(contents, asked, table).sections[1].blocks)
    assert "site-01" in told[True]
    assert "site-01" not in told[False]


def test_what_the_study_proposes_is_looked_at_first(contents: Contents) -> None:
    [row] = contents.study.read("proposed_sizes").to_dict("records")
    assert contents.proposed == (row["strategy"], row["fraction_enrolled"])
    with TestClient(build_server(contents, TOKEN), base_url="http://127.0.0.1") as client:
        client.get(f"/?token={TOKEN}")
        page = client.get("/").text
    chosen = re.findall(r'<option value="([^"]+)" selected', page)
    assert {row["strategy"], f"{row['fraction_enrolled']:g}"} <= set(chosen)


def test_who_comes_before_the_server_is_ready_waits_for_it() -> None:
    # a browser is opened at once, and the server takes seconds to start
    with take_port(0) as taken, socket.create_connection(taken.getsockname(), timeout=10):
        pass


def test_a_port_in_use_is_a_sentence() -> None:
    with take_port(0) as taken, pytest.raises(DesignError, match="cannot be used"):
        take_port(taken.getsockname()[1])


def test_a_study_without_power_says_what_makes_it(tmp_path: Path, explored_study: Path) -> None:
    asked = ts.protocol(explored_study.parent / "screened", strategies=["random"])
    ranked = ts.rank(asked, output=tmp_path)
    with pytest.raises(DesignError, match=r"no pool_moments: `trialsim power`"):
        Contents(ranked.path)


def test_without_a_study_there_is_a_calculator() -> None:
    with TestClient(build_server(None, TOKEN), base_url="http://127.0.0.1") as client:
        client.get(f"/?token={TOKEN}")
        answer = client.get("/")
        assert answer.status_code == 200
        assert "Mean decline to the last visit" in answer.text
        assert "People" not in answer.text
        assert client.get("/view/0").status_code == 404


@pytest.mark.slow
@pytest.mark.parametrize("signal_sent", [signal.SIGINT, signal.SIGKILL])
def test_a_closed_server_leaves_the_study_whole(
    explored_study: Path, signal_sent: signal.Signals
) -> None:
    before = explored_study.read_bytes()
    words = ["explore", str(explored_study), "--no-browser"]
    with subprocess.Popen(
        [sys.executable, "-m", "trialsim", *words], stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        address = server.stdout.readline().removeprefix("Open ").strip()
        for _ in range(600):
            try:
                # the token is asked for once, then kept in a cookie
                opener = build_opener(HTTPCookieProcessor())
                assert "<title>" in opener.open(address, timeout=60).read().decode()
                break
            except URLError:
                time.sleep(0.1)
        else:
            pytest.fail("the server never answered")
        server.send_signal(signal_sent)
        server.wait(60)
    # Ctrl-C is how it ends, no failure
    assert server.returncode == (0 if signal_sent == signal.SIGINT else -signal.SIGKILL)
    assert explored_study.read_bytes() == before
    beside = {path.name for path in explored_study.parent.glob("study.duckdb*")}
    assert beside <= {"study.duckdb", "study.duckdb.lock"}
    assert (verify_study(Study.open(explored_study))["verdict"] == "holds").all()


def test_a_state_is_the_same_question_in_python_and_by_command(contents: Contents) -> None:
    protocol = contents.protocol
    design = replace(protocol.design, slowing=0.4, dropout=DropOut(0.1))
    asked = Scenario(design, protocol.trial_costs, "baseline_volume", 0.5)
    ways = dict(describe_ways(contents, asked, None))
    own = {"ts": SimpleNamespace(protocol=ts.protocol, power=lambda question: question)}
    here = contents.path.parent
    with chdir(here):
        exec(ways["Python"].partition("\n")[2], own)
    expected = describe_values(protocol.model_copy(update={"design": design}), here)
    assert describe_values(own["study"], here) == expected  # type: ignore[arg-type]
    assert expected["selection.strategies"] == ["random", "baseline_volume"]
    # the study says the rest
    *words, study, first, one, second, other = shlex.split(ways["Command"])
    assert [*words, study] == ["trialsim", "power", "--study", contents.path.name]
    assert [first, one, second, other] == [
        "--set", "design.slowing=0.4", "--set", "design.dropout.control=0.1",
    ]  # fmt: skip
    again = ask(contents.path, {}, settings=[one, other]).protocol
    assert describe_values(again, here) == expected


@pytest.mark.parametrize(
    ("left", "analysis", "fraction"),
    [(0.0, "change", 0.3), (0.3, "change", 0.3), (0.3, "ancova_score", 0.3), (0.2, "change", 1.0)],
)
def test_the_calculator_is_the_same_question_in_python_and_by_command(
    left: float, analysis: str, fraction: float
) -> None:
    design = replace(TrialDesign(unit="log_percent"), dropout=DropOut(left), analyses=(analysis,))
    costs = Costs(screening=1500, participant=25_000)
    asked = Scenario(design, costs, "random" if fraction == 1 else ASSUMED, fraction)
    table = AssumedSource().compute_choices(asked)
    page = table[np.isclose(table["fraction_enrolled"], fraction)].iloc[0]
    ways = dict(describe_ways(None, asked, AssumedSource()))
    done = CliRunner().invoke(app, [*shlex.split(ways["Command"])[1:], "--json"])
    assert done.exit_code == 0, done.output
    rows = pd.DataFrame(json.loads(done.stdout))
    row = rows[np.isclose(rows["fraction_enrolled"], fraction)].iloc[0]
    names = ("n_control_rounded", "n_treatment_rounded", "n_to_screen", "cost")
    shown = ("n_control", "n_treatment", "n_to_screen", "cost")
    assert [row[name] for name in names] == [page[name] for name in shown]
    point = eval(ways["Python"].partition("\n")[2], {"ts": ts})
    assert point.n_control == pytest.approx(row["n_control"])


def test_many_even_steps_are_told_by_their_rule(contents: Contents) -> None:
    fractions = [place / 250 for place in range(1, 251)]
    selection = contents.protocol.selection.model_copy(update={"fractions_enrolled": fractions})
    many = SimpleNamespace(
        path=contents.path, protocol=contents.protocol.model_copy(update={"selection": selection})
    )
    asked = Scenario(contents.protocol.design, contents.protocol.trial_costs, "random", 1.0)
    told = dict(describe_ways(many, asked, None))  # type: ignore[arg-type]
    assert "fractions_enrolled=[place / 250 for place in range(1, 251)]" in told["Python"]
    assert all(len(text) < 600 for text in told.values())


@pytest.mark.slow
def test_a_finished_trial_without_choices_is_seen_first(tmp_path: Path) -> None:
    trial, study = tmp_path / "trial", tmp_path / "study.duckdb"
    words = ["cohort", "synthesize", str(trial), "--trial", "-n", "60", "--visits", "0,24"]
    for asked in (words, ["analyze", str(trial / "trial.csv"), "--study", str(study)]):
        done = CliRunner().invoke(app, asked)
        assert done.exit_code == 0, done.output
    selected = re.findall(r'class="nav-link active"[^>]*data-value="(\w+)"', lay_out(study))
    selected += re.findall(r'data-value="(\w+)"[^>]*class="nav-link active"', lay_out(study))
    assert selected == ["Trial"]


def lay_out(study: Path) -> str:
    return str(_lay_out(Contents(study)))
