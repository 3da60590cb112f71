"""No cell of a text table is lost, and none is taken for what it is not."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cohorts.eligibility import screen_cohort
from cohorts.errors import CohortError
from cohorts.sources.loading import load_cohort
from cohorts.sources.tables.text import read_header, read_text_table

CASES = Path(__file__).parents[3] / "shared" / "cases"
needs_cases = pytest.mark.skipif(not CASES.is_dir(), reason="../shared/cases is not here")

PEOPLE = ["participant_id", "age", "sex", "diagnosis", "left_hippocampus_mm3"]


def write(path: Path, extra: list[str], *, name: str = "extra", separator: str = "\t") -> Path:
    """Write a table of people with one further column."""
    rows = [[*PEOPLE, name]]
    for i, value in enumerate(extra):
        rows.append([f"sub-{i}", str(60 + 2 * i), "FM"[i % 2], "CN", str(3300 + i), value])
    path.write_text("".join(separator.join(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_quote_in_a_tsv_is_a_letter(tmp_path: Path) -> None:
    comments = ["ok", '"claustrophobic, stopped', "ok", '"moved head', "ok", '5" scar']
    cohort = load_cohort(write(tmp_path / "p.tsv", comments))
    assert cohort.participants["extra"].tolist() == comments


def read_or_tell(path: Path) -> pd.DataFrame | str:
    try:
        return read_text_table(path)
    except CohortError as error:
        return str(error)


def test_texts_without_quotes_are_read_as_row_by_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(8)
    pieces = [
        "",
        " ",
        "a",
        "70.5",
        "é",
        "\u00a0",
        "\u2028",
        "\x1c",
        "\x0b",
        "NA",
        "#",
        "\\",
        "'",
        ";",
    ]
    ends = ["\n", "\r\n", "\n\n", "\r", " \n"]
    paths = []
    for k in range(400):
        suffix, separator = [(".csv", ","), (".tsv", "\t")][k % 2]
        width, lines = int(rng.integers(1, 4)), []
        for row in range(int(rng.integers(0, 5))):
            n = width + (rng.random() < 0.05)
            filled = ["".join(rng.choice(pieces, 2)) for _ in range(n)]
            names = [f"{name}{place}" for place, name in enumerate(filled)]
            lines.append(separator.join(names if row == 0 and rng.random() < 0.9 else filled))
        # most files have ends of one kind
        kinds = ends if rng.random() < 0.2 else [str(rng.choice(ends[:2]))]
        text = "".join(line + str(rng.choice(kinds)) for line in lines)
        path = tmp_path / f"{k}{suffix}"
        path.write_bytes(("sep=;\n" * (rng.random() < 0.1) + text).encode())
        paths.append(path)
    found = [read_or_tell(path) for path in paths]
    with monkeypatch.context() as row_by_row:
        row_by_row.setattr("cohorts.sources.tables.text._split_plain", lambda *_: None)
        wanted = [read_or_tell(path) for path in paths]
    assert sum(isinstance(table, pd.DataFrame) for table in wanted) > 150
    for path, own, other in zip(paths, found, wanted, strict=True):
        if isinstance(own, pd.DataFrame) and isinstance(other, pd.DataFrame):
            pd.testing.assert_frame_equal(own, other, check_index_type=False)
        else:
            assert own == other, path.read_bytes()


def test_a_header_is_read_without_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_bytes(b"\xef\xbb\xbfsep=;\r\n age ;sex\r\n70;\xff\r\n")
    assert read_header(path) == ["age", "sex"]
    with pytest.raises(CohortError, match=r"not UTF-8 text \(line 3\)"):
        read_text_table(path)


@pytest.mark.parametrize("quote", ["", '"'])
def test_a_cell_may_be_as_long_as_its_file(quote: str, tmp_path: Path) -> None:
    long = "x" * 200_000
    path = write(tmp_path / "p.csv", [f"{quote}{long}{quote}", "b"], separator=",")
    assert load_cohort(path).participants["extra"].tolist() == [long, "b"]
    write(path, ["a"], name=f"{quote}{long}{quote}", separator=",")
    assert read_header(path) == [*PEOPLE, long]


def test_quotes_around_a_whole_cell_are_not_part_of_it(tmp_path: Path) -> None:
    cohort = load_cohort(write(tmp_path / "p.tsv", ['"left, right"', '"say ""a"""']))
    assert cohort.participants["extra"].tolist() == ["left, right", 'say "a"']


def test_quote_that_is_not_closed_in_a_csv_is_refused_with_its_line(tmp_path: Path) -> None:
    path = write(tmp_path / "p.csv", ["ok", '"moved head', "ok", "ok"], separator=",")
    with pytest.raises(CohortError, match="cannot be split into cells from line 3 on"):
        load_cohort(path)


@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
@pytest.mark.parametrize(("cells", "count"), [(["70"], 2), (["70", "F", "x"], 4)])
def test_row_with_another_number_of_cells_is_refused(
    suffix: str, cells: list[str], count: int, tmp_path: Path
) -> None:
    separator = "," if suffix == ".csv" else "\t"
    rows = [["participant_id", "age", "sex"], ["a", "71", "F"], ["b", *cells]]
    path = tmp_path / f"p{suffix}"
    path.write_text("\n".join(separator.join(row) for row in rows), encoding="utf-8")
    with pytest.raises(CohortError, match=rf"which has 3 \(row 3: {count}\)"):
        read_text_table(path)


@pytest.mark.parametrize("said", ["sep=;", "SEP=|", '"sep=;"', "sep=,", "sep=\t", "sep=;\r"])
def test_the_separator_that_a_first_line_states_is_taken(said: str, tmp_path: Path) -> None:
    separator = said.strip('"\r')[4:]
    people = write(tmp_path / "t.csv", ["x", "y"], separator=separator).read_text()
    (tmp_path / "p.csv").write_text(f"{said}\n{people}")
    assert load_cohort(tmp_path / "p.csv").participants["extra"].tolist() == ["x", "y"]
    assert read_header(tmp_path / "p.csv") == [*PEOPLE, "extra"]
    # rows keep the numbers that they have in the file
    (tmp_path / "p.csv").write_text(f"{said}\n{people}sub-9{separator}70\n")
    with pytest.raises(CohortError, match=r"row 5: 2"):
        load_cohort(tmp_path / "p.csv")


def test_rows_that_are_all_longer_than_the_header_lose_no_column(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("age,sex\nsub-1,70,F\nsub-2,71,M\n")
    with pytest.raises(CohortError, match="2 rows with another number of cells"):
        read_text_table(tmp_path / "p.csv")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
def test_line_ends_and_byte_order_mark_do_not_matter(
    end: str, mark: str, suffix: str, tmp_path: Path
) -> None:
    separator = "," if suffix == ".csv" else "\t"
    text = mark + end.join(separator.join(row) for row in (["a", "b"], ["1", ""], ["2", "x"])) + end
    (tmp_path / f"p{suffix}").write_bytes(text.encode())
    frame = read_text_table(tmp_path / f"p{suffix}")
    assert frame.to_dict("list") == {"a": ["1", "2"], "b": ["", "x"]}
    assert frame.index.tolist() == [2, 3]


def test_no_break_spaces_do_not_belong_to_cells(tmp_path: Path) -> None:
    path = write(tmp_path / "p.tsv", ["1\u00a0", "\u00a02"], name="\u00a0cdrsb ")
    assert load_cohort(path).participants["cdrsb"].tolist() == [1, 2]


def test_rows_keep_their_line_after_blank_ones_and_long_cells(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text('a,b\n\n1,"two\nlines"\n,\n2,x\n')
    assert read_text_table(tmp_path / "p.csv").index.tolist() == [3, 6]


def test_row_names_without_a_header_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text('"","a"\n"1",x\n"2",y\n')
    assert list(read_text_table(tmp_path / "p.csv")) == ["a"]
    (tmp_path / "q.csv").write_text("a,\nx,70\ny,80\n")
    with pytest.raises(CohortError, match=r"column without a name \(column 2\)"):
        read_text_table(tmp_path / "q.csv")


@pytest.mark.parametrize("spelling", ["-", "—", "N/A", "", " ", "#N/A"])
def test_spellings_of_a_gap_are_gaps(spelling: str, tmp_path: Path) -> None:
    path = write(tmp_path / "p.tsv", ["0.5", "1.0", spelling, "4.5", "2.0", "0"], name="cdrsb")
    screening = screen_cohort(load_cohort(path), ["cdrsb in 0.5, 1"])
    assert len(screening.eligible.participants) == 2
    assert screening.flow["n_missing"].tolist() == [1]


def test_stray_text_among_numbers_is_a_problem_of_its_row(tmp_path: Path) -> None:
    path = write(tmp_path / "p.tsv", ["0.5", "1.0", "<LOD", "4.5"], name="tau")
    with pytest.raises(CohortError, match="row 4, column tau: got '<LOD', a number is expected"):
        load_cohort(path)
    assert load_cohort(path, missing="<LOD").participants["tau"].isna().sum() == 1
    assert "tau" not in load_cohort(path, ignore=["tau"]).participants


@pytest.mark.parametrize("code", ["-4", "-9999", "9999", "-1"])
def test_number_that_looks_like_a_code_is_never_taken_for_a_value(
    code: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "p.tsv", ["0.5", "1.0", code, "4.5"], name="cdrsb")
    with pytest.raises(CohortError, match=f"--missing {code}"):
        load_cohort(path)
    known = load_cohort(path, missing=[code]).participants["cdrsb"]
    assert known.isna().tolist() == [False, False, True, False]
    as_value = load_cohort(path, missing="none").participants["cdrsb"]
    assert as_value[2] == float(code)


def test_negative_numbers_among_others_are_values(tmp_path: Path) -> None:
    path = write(tmp_path / "p.tsv", ["-0.5", "1.0", "-4", "2.5"], name="z_score")
    assert load_cohort(path).participants["z_score"].min() == -4


def test_column_to_leave_out_must_be_there(tmp_path: Path) -> None:
    path = write(tmp_path / "p.tsv", ["1", "2"])
    with pytest.raises(CohortError, match="no column extr to leave out"):
        load_cohort(path, ignore=["extr"])


def test_parquet_index_is_a_column(tmp_path: Path) -> None:
    frame = pd.read_csv(write(tmp_path / "p.tsv", ["1", "2"]), sep="\t")
    frame.set_index("participant_id").to_parquet(tmp_path / "p.parquet")
    frame.set_index(["participant_id", "sex"]).to_parquet(tmp_path / "q.parquet")
    for name in ("p.parquet", "q.parquet"):
        assert load_cohort(tmp_path / name).participants["participant_id"].tolist() == [
            "sub-0",
            "sub-1",
        ]


def test_versions_of_a_form_are_no_waves(tmp_path: Path) -> None:
    path = write(tmp_path / "p.tsv", ["yes", "no"], name="consent_V2")
    cohort = load_cohort(path)
    assert len(cohort.visits) == 2
    assert any("consent_V2" in note for note in cohort.notes)


def test_wide_table_costs_no_frame_a_column(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    wide = pd.DataFrame(np.random.default_rng(1).normal(size=(6, 400)).round(3))
    wide.columns = [f"f{i}" for i in wide]
    people = pd.read_csv(write(tmp_path / "p.tsv", ["1"] * 6), sep="\t")
    pd.concat([people, wide], axis=1).to_csv(tmp_path / "p.csv", index=False)
    table = load_cohort(tmp_path / "p.csv").baseline()
    assert np.array_equal(table[wide.columns].to_numpy(), wide.to_numpy())
    assert not recwarn.list


@needs_cases
@pytest.mark.parametrize(
    ("file", "stated", "criterion", "n"),
    [
        ("06-T14-stray-quotes/p.tsv", {}, "age_years > 0", 6),
        ("09-T05-minus4-codes/c.tsv", {"missing": "-4,-9999"}, "cdrsb <= 2", 3),
        ("10-T04-dash-missing/c.tsv", {}, "cdrsb in 0.5, 1", 2),
        ("35-T26-false-waves/p.tsv", {}, "age_years > 0", 6),
        ("36-T28-parquet-index/p.parquet", {}, "age_years > 0", 6),
    ],
)
def test_reported_case_gives_its_right_value(
    file: str, stated: dict[str, str], criterion: str, n: int
) -> None:
    screening = screen_cohort(load_cohort(CASES / file, **stated), [criterion])
    assert len(screening.eligible.participants) == n
    assert len(screening.eligible.visits) == n
