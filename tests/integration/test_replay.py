"""`prefloop replay` as a command, on small recordings and on the shared real ones."""

from __future__ import annotations

import gzip
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
import typer
from sqlalchemy import select
from typer.testing import CliRunner

from services.bootstrap import Service, open_service
from services.replay.command import replay_command
from services.settings import Settings
from services.store import models as m
from services.store.attributes import set_attributes
from streams.events import Campaign, Judgment, Task, Text

app = typer.Typer()
app.command()(replay_command)

SHARED = Path(os.environ.get("PREFLOOP_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))


class Recordings:
    """A folder with items, judgments and the data folder they are replayed into."""

    def __init__(self, folder: Path) -> None:
        self.items = folder / "items.jsonl.gz"
        self.judgments = folder / "votes.jsonl.gz"
        self.data = folder / "data"
        self.report = folder / "report.json"

    def write(self, items: list[dict[str, Any]], judgments: list[dict[str, Any]]) -> None:
        for path, rows in ((self.items, items), (self.judgments, judgments)):
            path.write_bytes(gzip.compress(b"".join(msgspec.json.encode(row) + b"\n" for row in rows)))

    def options(self, *more: str) -> list[str]:
        paths = [str(path) for path in (self.judgments, "--items", self.items, "--data", self.data)]
        return [*paths, "--report", str(self.report), *more]

    def run(self, *more: str) -> tuple[dict[str, Any], str]:
        result = CliRunner().invoke(app, self.options(*more), catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return msgspec.json.decode(self.report.read_bytes()), result.output

    def open(self) -> Service:
        return open_service(Settings(data=self.data))


@pytest.fixture
def recordings(tmp_path: Path) -> Recordings:
    return Recordings(tmp_path)


def item(name: str, a: str = "This one is long enough.", b: str = "Not this.", **more: Any) -> dict[str, Any]:
    return {"item": name, "prompt": f"Which of {name}?", "a": a, "b": b, **more}


def vote(name: str, annotator: str, label: str, **more: Any) -> dict[str, Any]:
    return {"item": name, "annotator": annotator, "label": label, **more}


def crowd(items: int = 60, annotators: int = 6) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """People who agree nine times in ten, and one who always says a."""
    chance = random.Random(5)
    truth = {f"i{n}": chance.choice("ab") for n in range(items)}
    votes = []
    for name, right in truth.items():
        wrong = "b" if right == "a" else "a"
        votes += [vote(name, f"w{n}", right if chance.random() < 0.9 else wrong) for n in range(annotators)]
        votes.append(vote(name, "stuck", "a"))
    return [item(name, consensus=right) for name, right in truth.items()], votes


def test_a_recording_is_judged_and_reported(recordings: Recordings) -> None:
    recordings.write(*crowd(items=120))
    found, output = recordings.run()
    assert found["campaign"] == "votes"
    assert (found["items"]["new"], found["judgments"]["new"], found["tasks"]) == (120, 840, 120)
    assert (found["preferences"], found["annotators"], found["dead_letters"]) == (120, 7, 0)
    assert found["consensus"]["compared"] == 120
    assert found["consensus"]["same"] >= 114
    assert 0.4 < found["alpha"] < 0.9
    assert found["least_reliable"][0]["annotator"] == "stuck"
    assert found["tie_share"] == 0.0
    assert "Krippendorff's alpha" in output


def test_a_second_run_changes_nothing_and_says_so(recordings: Recordings) -> None:
    recordings.write(*crowd(items=20))
    first, _ = recordings.run()
    with_first = ends(recordings)
    second, output = recordings.run()
    assert "Nothing was new" in output
    assert ends(recordings) == with_first
    assert (second["judgments"]["new"], second["judgments"]["already_here"]) == (0, 140)
    for kept in ("alpha", "percent_agreement", "preferences", "consensus", "alerts", "would_suspend"):
        assert second[kept] == first[kept]


def ends(recordings: Recordings) -> dict[str, int]:
    service = recordings.open()
    try:
        return {topic: service.store.end(topic) for topic in service.store.topology.topics}
    finally:
        service.close()


def test_a_longer_file_adds_what_is_new(recordings: Recordings) -> None:
    items, votes = crowd(items=10)
    recordings.write(items[:5], votes[:35])
    recordings.run()
    recordings.write(items, votes)
    found, _ = recordings.run()
    assert (found["judgments"]["new"], found["judgments"]["already_here"]) == (35, 35)
    assert found["preferences"] == 10


def test_everything_that_cannot_be_taken_is_counted_by_reason(recordings: Recordings) -> None:
    recordings.write(
        [item("i1"), item("same", a="x", b="x"), item("empty", a=""), item("nul", a="\x00"), {"item": "half"}],
        [
            vote("i1", "w1", "a"),
            vote("i1", "w1", "b"),
            vote("same", "w1", "a"),
            vote("empty", "w1", "b"),
            vote("unknown", "w1", "a"),
            vote("nul", "w1", "a"),
            vote("i1", "w2", "left"),
            vote("i1", "w3", "tie", t_end="2999-01-01T00:00:00Z"),
        ],
    )
    found, output = recordings.run()
    assert (found["tasks"], found["equal_items"]) == (2, 1)
    assert (found["items"]["new"], sum(found["items"]["rejected"].values())) == (3, 2)
    judgments = found["judgments"]
    assert judgments["read"] == judgments["new"] + sum(judgments["rejected"].values()) == 8
    reasons = " ".join(judgments["rejected"])
    for part in (
        "first is kept",
        "responses of its item are equal",
        "not among the items",
        "not a record",
        "not a time",
    ):
        assert part in reasons
    assert judgments["rejected"]["its item is not among the items"] == 2
    assert "w1 on item same" in output


def test_where_no_judgment_can_be_taken_it_is_an_error(recordings: Recordings) -> None:
    recordings.write([item("i1", "The same.", "The same.")], [vote("i1", "w", "a")])
    result = CliRunner().invoke(app, recordings.options())
    assert result.exit_code == 1
    assert "No judgment could be taken" in result.output


def test_what_enters_the_log(recordings: Recordings) -> None:
    recordings.write(
        [item("i1", topic="law", tags={"locale": "de"}, gold="b")],
        [vote("i1", "w1", "a", shown_swapped=True, t_end="2020-01-01T00:00:10Z", seconds=4, reason="clearer")],
    )
    recordings.run("--campaign", "mine")
    service = recordings.open()
    campaign = service.store.read("campaigns")[0].event
    task = service.store.read("tasks")[0].event
    judgment = service.store.read("judgments")[0].event
    reason = service.store.newest("texts", judgment.id)
    service.close()
    assert isinstance(campaign, Campaign)
    assert isinstance(task, Task)
    assert isinstance(judgment, Judgment)
    assert isinstance(reason, Text)
    assert (campaign.name, campaign.mode, task.mode, judgment.mode) == ("mine", *["recorded"] * 3)
    assert (task.tags, task.gold, judgment.gold) == ({"locale": "de", "topic": "law"}, "b", "b")
    assert (judgment.choice, judgment.swapped, judgment.annotator) == ("a", True, "mine/w1")
    assert judgment.answered_at - judgment.shown_at == 4_000
    assert judgment.occurred_at == judgment.answered_at == 1_577_836_810_000
    assert (reason.reason, judgment.reason_length) == ("clearer", 7)


def test_vendors_cohorts_and_sources_are_known_of_their_annotators(recordings: Recordings) -> None:
    """So that two vendors of a recording can be compared; a second run takes them over as well."""
    items, votes = crowd(items=5, annotators=3)
    recordings.write(items, votes)
    recordings.run()
    service = recordings.open()
    service.log.submit(lambda t: set_attributes(t.sql, "votes/w2", {"vendor": "mine"})).result()
    service.close()
    of = {"w0": {"vendor": "north", "cohort": "2026-11"}, "w1": {"vendor": "south", "source": "panel"}}
    recordings.write(items, [vote | of.get(vote["annotator"], {}) for vote in votes])
    recordings.run()
    service = recordings.open()
    with service.database.connect() as sql:
        found = {(who, name): value for who, name, value in sql.execute(select(m.annotator_attributes))}
    service.close()
    assert found == {
        ("votes/w0", "vendor"): "north",
        ("votes/w0", "cohort"): "2026-11",
        ("votes/w1", "vendor"): "south",
        ("votes/w1", "source"): "panel",
        ("votes/w2", "vendor"): "mine",
    }


def test_without_times_nobody_is_too_fast(recordings: Recordings) -> None:
    items, votes = crowd(items=30)
    recordings.write(items, votes)
    found, _ = recordings.run()
    assert "speed" not in found["alerts"]


def test_suspensions_are_reported_and_not_enforced(recordings: Recordings) -> None:
    items, votes = crowd(items=150)
    recordings.write(items, votes)
    found, _ = recordings.run()
    assert sum(found["alerts"].values()) > 0
    assert sum(found["would_suspend"].values()) > 0
    service = recordings.open()
    standings = [record.event for record in service.store.read("standings")]
    retractions = service.store.end("retractions")
    service.close()
    assert retractions == 0
    assert not any(standing.enforced for standing in standings)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("judgments", "items", "said"),
    [
        ('{"task": "i0", "rater": "w", "score": 3}', None, "line 1: not a record"),
        ('{"item": "i0", "annotator": "w", "label": "left"}', None, "'left' is none of a, b, tie"),
        ("", None, "it is empty"),
        (None, '{"question": "What?", "first": "x", "second": "y"}', "with item, prompt, a, b"),
        ('{"item": "elsewhere", "annotator": "w", "label": "a"}', None, "no judgment of"),
    ],
)
def test_files_of_something_else_leave_nothing_behind(
    recordings: Recordings, judgments: str | None, items: str | None, said: str
) -> None:
    recordings.write(*crowd(items=2))
    for path, text in ((recordings.judgments, judgments), (recordings.items, items)):
        if text is not None:
            path.write_bytes(gzip.compress(text.encode()))
    result = CliRunner().invoke(app, recordings.options())
    assert said in str(result.exception)
    assert not recordings.data.exists()


@pytest.mark.parametrize("broken", ["judgments", "items"])
def test_a_missing_file_is_told_before_anything_is_begun(recordings: Recordings, broken: str) -> None:
    recordings.write(*crowd(items=2))
    getattr(recordings, broken).unlink()
    result = CliRunner().invoke(app, recordings.options())
    assert "cannot read" in str(result.exception)
    assert not recordings.data.exists()


def test_a_report_that_cannot_be_written_is_told_before_anything_is_begun(recordings: Recordings) -> None:
    recordings.write(*crowd(items=2))
    result = CliRunner().invoke(app, recordings.options("--report", str(recordings.data / "nowhere" / "x")))
    assert "cannot write" in str(result.exception)
    assert not recordings.data.exists()


def test_a_live_campaign_takes_no_recording(recordings: Recordings) -> None:
    service = recordings.open()
    live = Campaign(id="c", name="default", version=1)
    service.log.submit(lambda transaction: transaction.append(live)).result()
    service.close()
    recordings.write(*crowd(items=2))
    result = CliRunner().invoke(app, recordings.options("--campaign", "default"))
    assert "is live" in str(result.exception)


def test_the_same_recording_always_says_the_same(recordings: Recordings, tmp_path: Path) -> None:
    recordings.write(*crowd(items=200))
    found = []
    for folder in ("one", "other"):
        recordings.data = tmp_path / folder
        found.append(recordings.run()[0])
    for report in found:
        del report["seconds"], report["judgments_per_second"]
    assert found[0] == found[1]


@pytest.mark.slow
def test_killed_at_any_point_it_goes_on_and_ends_as_if_it_had_not_been(recordings: Recordings, tmp_path: Path) -> None:
    items, votes = crowd(items=250)
    recordings.write(items, votes)
    script = "import typer; from services.replay.command import replay_command; typer.run(replay_command)"
    command = [sys.executable, "-c", script, *recordings.options()]
    for events in (1, 1_500):  # in the log before the process is killed
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=Path(__file__).parents[2])
        wait_for_growth(recordings.data, events, process)
        process.send_signal(signal.SIGKILL)
        process.wait()
    interrupted, _ = recordings.run()
    whole = Recordings(tmp_path / "whole")
    (tmp_path / "whole").mkdir()
    whole.write(items, votes)
    uninterrupted, _ = whole.run()
    for kept in ("tasks", "preferences", "annotators", "alpha", "percent_agreement", "tie_share"):
        assert interrupted[kept] == uninterrupted[kept], kept
    # In the chunk that was cut the stages take turns anew, so that a reliability may be learned a little later.
    same = [found["consensus"]["same"] for found in (interrupted, uninterrupted)]
    assert abs(same[0] - same[1]) <= 4
    assert ends(recordings)["judgments"] == ends(whole)["judgments"] == len(votes)


def wait_for_growth(data: Path, events: int, process: subprocess.Popen[bytes]) -> None:
    """Until the log's write-ahead file has grown by about that many events, or the process is done."""
    wal = data / "prefloop.sqlite3-wal"
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        if wal.exists() and wal.stat().st_size > 200_000 + 300 * events:
            return
        time.sleep(0.005)


# ---------------------------------------------------------------- real recordings


def replayed(recordings: Recordings, name: str) -> dict[str, Any]:
    judgments = SHARED / "judgments" / f"{name}_judgments.jsonl.gz"
    if not judgments.exists():
        pytest.skip(f"{judgments} is not here: set PREFLOOP_SHARED_DATA to the folder of development data")
    recordings.judgments = judgments
    recordings.items = judgments.with_name(f"{name}_items.jsonl.gz")
    return recordings.run()[0]


@pytest.mark.slow
def test_llmfao(recordings: Recordings) -> None:
    found = replayed(recordings, "llmfao")
    assert (found["items"]["new"], found["judgments"]["new"], found["tasks"]) == (2139, 8931, 2139)
    assert (found["annotators"], found["dead_letters"], found["judgments"]["rejected"]) == (124, 0, {})
    assert found["tie_share"] == pytest.approx(3471 / 8931)


@pytest.mark.slow
def test_ukp(recordings: Recordings) -> None:
    found = replayed(recordings, "ukp_dev")
    assert (found["items"]["new"], found["tasks"], found["equal_items"]) == (8893, 8885, 8)
    assert (found["judgments"]["new"], sum(found["judgments"]["rejected"].values())) == (44_335, 40)
    assert (found["annotators"], found["dead_letters"]) == (3608, 0)
    assert found["consensus"]["same"] / found["consensus"]["compared"] > 0.85
