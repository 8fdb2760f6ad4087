from __future__ import annotations

import csv
import gzip
import io
import json
import os
import random
from pathlib import Path

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from services.aggregate.aggregate import aggregate
from services.aggregate.command import aggregate_command
from services.aggregate.findings import Findings
from services.aggregate.reading import names_of
from streams.errors import InputError
from streams.quality.consensus import CHOICES

app = typer.Typer()
app.command()(aggregate_command)

SHARED = Path(os.environ.get("PREFLOOP_SHARED_DATA", Path(__file__).parents[4] / "shared" / "data"))
RTE = SHARED / "judgments" / "rte.csv"


def crowd(seed: int = 1) -> tuple[list[dict[str, str]], dict[str, str]]:
    """Judgments of four good annotators and one guesser on forty items, and the truth."""
    draw = random.Random(seed)
    truth = {f"i{n}": draw.choice("ab") for n in range(40)}
    rows = []
    for item, answer in truth.items():
        for worker, accuracy in zip("uvwxg", (0.9, 0.9, 0.9, 0.9, 0.5), strict=True):
            label = answer if draw.random() < accuracy else "ba"["ab".index(answer)]
            rows.append({"item": item, "annotator": worker, "label": label})
    return rows, truth


def write(path: Path, rows: list[dict[str, str]]) -> Path:
    text = "".join(json.dumps(row) + "\n" for row in rows).encode()
    if ".csv" in path.name:
        table = io.StringIO()
        writer = csv.DictWriter(table, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
        text = table.getvalue().encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def found(judgments: Path, gold: Path | None = None, out: Path | None = None, **names: str) -> Findings:
    own = names_of(names.get("labels", ""), names.get("columns", ""), names.get("gold_label", "label"))
    return aggregate(judgments, gold, out, Console(file=io.StringIO(), width=120), names=own)


@pytest.mark.parametrize("name", ["j.jsonl", "j.jsonl.gz", "j.csv", "j.csv.gz"])
def test_every_format_says_the_same(tmp_path: Path, name: str) -> None:
    rows, truth = crowd()
    gold = write(tmp_path / "gold.csv", [{"item": item, "label": label} for item, label in truth.items()])
    findings = found(write(tmp_path / name, rows), gold, tmp_path / "out.csv")
    assert findings.score is not None
    assert findings.score.accuracy >= 0.95
    assert findings.score.items == 40
    assert min(findings.workers, key=lambda worker: worker.known.accuracy).annotator == "g"
    assert findings.agreed.alpha is not None
    assert 0 < findings.agreed.alpha.value < 1


def test_the_consensus_is_written_as_csv_and_json_lines(tmp_path: Path) -> None:
    judgments = write(tmp_path / "j.csv", crowd()[0])
    found(judgments, out=tmp_path / "out.csv")
    found(judgments, out=tmp_path / "out.jsonl")
    table = list(csv.DictReader((tmp_path / "out.csv").read_text().splitlines()))
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert list(table[0]) == list(lines[0]) == ["item", "label", "p_a", "p_b", "p_tie", "n"]
    assert [row["item"] for row in table] == [f"i{n}" for n in range(40)]
    for row in lines:
        assert row["p_a"] + row["p_b"] + row["p_tie"] == pytest.approx(1, abs=1e-5)
        assert row[f"p_{row['label']}"] == max(row["p_a"], row["p_b"], row["p_tie"])
        assert row["n"] == 5


def test_the_later_label_of_an_annotator_counts(tmp_path: Path) -> None:
    rows = [{"item": "i", "annotator": "w", "label": label} for label in ("b", "a")]
    (outcome,) = found(write(tmp_path / "j.csv", rows), out=tmp_path / "o.csv").outcomes
    assert (outcome.label, outcome.n) == ("a", 1)


def test_other_columns_and_labels(tmp_path: Path) -> None:
    text = "# a comment\nrater,item,rating\n1,30,1\n2,30,1\n1,31,0\n"
    (tmp_path / "j.csv").write_text(text)
    findings = found(
        tmp_path / "j.csv", out=tmp_path / "o.csv", labels="0=a,1=b", columns="annotator=rater,label=rating"
    )
    assert {outcome.item: outcome.label for outcome in findings.outcomes} == {"30": "b", "31": "a"}


BAD = {
    "unknown label": (
        '{"item": 1, "annotator": "w", "label": "c"}',
        "line 1, field label: 'c' is none of a, b, tie",
        "--labels c=a",
    ),
    "no annotator": ('{"item": 1, "label": "a"}', "line 1, field annotator", "--columns"),
    "wrong type": ('{"item": 1, "annotator": ["w"], "label": "a"}', "line 1, field annotator", "annotator"),
    "not JSON": ("item;annotator", "line 1", "every line needs"),
    "empty": ("", "holds no judgment", "one judgment a line"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_names_file_line_field_and_mend(tmp_path: Path, case: str) -> None:
    text, message, mend = BAD[case]
    path = tmp_path / "j.jsonl"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        found(path, out=tmp_path / "o.csv")
    assert str(path) in str(caught.value)
    assert message in str(caught.value)
    assert mend in caught.value.mend
    assert not (tmp_path / "o.csv").exists()


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"labels": "0"}, "no list of NAME=NAME"),
        ({"labels": "0=left"}, "maps to 'left'"),
        ({"columns": "worker=rater"}, "knows no 'worker'"),
    ],
)
def test_bad_names(names: dict[str, str], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        found(write(tmp_path / "j.csv", crowd()[0]), None, None, **names)


def test_an_out_of_unknown_format_or_place_is_refused(tmp_path: Path) -> None:
    judgments = write(tmp_path / "j.csv", crowd()[0])
    with pytest.raises(InputError, match="format"):
        found(judgments, out=tmp_path / "o.txt")
    with pytest.raises(InputError, match="cannot write"):
        found(judgments, out=tmp_path / "missing" / "o.csv")


def test_gold_without_a_common_item_and_gold_that_contradicts_itself(tmp_path: Path) -> None:
    judgments = write(tmp_path / "j.csv", crowd()[0])
    with pytest.raises(InputError, match="no item in common"):
        found(judgments, write(tmp_path / "g.csv", [{"item": "x", "label": "a"}]), tmp_path / "o.csv")
    two = [{"item": "i1", "label": "a"}, {"item": "i1", "label": "b"}]
    with pytest.raises(InputError, match="two known answers"):
        found(judgments, write(tmp_path / "g.csv", two), tmp_path / "o.csv")


def test_the_command_writes_the_consensus_to_stdout_and_the_report_to_stderr(tmp_path: Path) -> None:
    judgments = write(tmp_path / "j.csv", crowd()[0])
    result = CliRunner().invoke(app, [str(judgments)])
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == "item,label,p_a,p_b,p_tie,n"
    assert len(result.stdout.splitlines()) == 41
    assert "Krippendorff's alpha" in result.stderr
    assert "200 judgments by 5 annotators on 40 items" in result.stderr


def test_a_one_sided_annotator_is_flagged(tmp_path: Path) -> None:
    rows = [{"item": f"i{n}", "annotator": "w", "label": "a"} for n in range(60)]
    (worker,) = found(write(tmp_path / "j.csv", rows), out=tmp_path / "o.csv").workers
    assert "side" in worker.alarms


@pytest.mark.filterwarnings("ignore:The (inplace|copy) keyword")  # crowd-kit on pandas 3.1
@pytest.mark.skipif(not RTE.exists(), reason="needs the shared data: set PREFLOOP_SHARED_DATA")
def test_textual_entailment_by_a_crowd_with_spammers(tmp_path: Path) -> None:
    """Snow et al. 2008, 800 items: as accurate as Dawid-Skene, and its probabilities mean what they say."""
    import pandas as pd
    from crowdkit.aggregation import DawidSkene, MajorityVote

    findings = found(
        RTE,
        RTE,
        tmp_path / "o.csv",
        labels="0=a,1=b",
        columns="annotator=rater,label=rating",
        gold_label="gold_rating",
    )
    with RTE.open(encoding="utf-8") as lines:
        table = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    frame = pd.DataFrame(
        {
            "task": [row["item"] for row in table],
            "worker": [row["rater"] for row in table],
            "label": [CHOICES[int(row["rating"])] for row in table],
        }
    )
    truth = {row["item"]: CHOICES[int(row["gold_rating"])] for row in table}

    def accuracy(labels: pd.Series[str]) -> float:
        return sum(bool(labels[item] == answer) for item, answer in truth.items()) / len(truth)

    assert findings.score is not None
    assert findings.score.accuracy >= accuracy(DawidSkene(n_iter=50).fit_predict(frame)) - 0.005
    assert findings.score.accuracy > accuracy(MajorityVote().fit_predict(frame)) + 0.02
    assert findings.score.calibration_error < 0.03


def sliced(tmp_path: Path, *options: str) -> str:
    """What the command reports of a file with a domain and a vendor; nobody agrees on law, south is careless."""
    draw, rows = random.Random(5), []
    for n in range(300):
        truth, domain = draw.choice("ab"), "law" if n % 3 == 0 else "mail"
        for who in draw.sample(range(10), 4):
            right = 0.5 if domain == "law" else 0.95 if who < 5 else 0.75
            label = truth if draw.random() < right else "ab".replace(truth, "")
            vendor = "north" if who < 5 else "south"
            rows.append({"item": f"i{n}", "annotator": f"w{who}", "label": label, "domain": domain, "vendor": vendor})
    path = write(tmp_path / "sliced.csv", rows)
    result = CliRunner().invoke(app, [str(path), "--out", str(tmp_path / "out.csv"), *options], env={"COLUMNS": "200"})
    return result.stderr + (repr(result.exception) if result.exception else "")


def test_slices_are_ranked_and_what_is_behind_them_named(tmp_path: Path) -> None:
    lines = sliced(tmp_path, "--slices", "domain,vendor").splitlines()
    (law,) = [line for line in lines if line.strip().startswith("domain = law")]
    assert law.rstrip().endswith("the guideline")
    (south,) = [line for line in lines if line.strip().startswith("vendor = south")]
    assert "annotators" in south


def test_two_vendors_are_compared_with_their_prices(tmp_path: Path) -> None:
    report = sliced(tmp_path, "--compare", "vendor:north=0.1,south=0.1")
    assert "right, of decisive judgments" in report
    assert "costs" in report


@pytest.mark.parametrize(
    "compare", ["vendor", "vendor:north", "vendor:north=x,south=1", "vendor:north=1,west=1", ":a,b"]
)
def test_a_comparison_that_names_no_two_is_refused(tmp_path: Path, compare: str) -> None:
    assert "InputError" in sliced(tmp_path, "--compare", compare)


@pytest.mark.parametrize("slices", ["label", "no name"])
def test_a_slice_must_be_a_further_column(tmp_path: Path, slices: str) -> None:
    assert "InputError" in sliced(tmp_path, "--slices", slices)


def test_a_column_that_belongs_to_neither_is_refused(tmp_path: Path) -> None:
    rows = [{"item": f"i{n % 2}", "annotator": f"w{n % 3}", "label": "a", "mood": str(n)} for n in range(6)]
    result = CliRunner().invoke(app, [str(write(tmp_path / "j.csv", rows)), "--slices", "mood"])
    assert isinstance(result.exception, InputError)
    assert "mood" in str(result.exception)
