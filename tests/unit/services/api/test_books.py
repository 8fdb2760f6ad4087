"""Campaigns and runs in memory: who may work on what, and every update taken once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from services.api.books import CLAIM_LOST_MS, CampaignBook, RunBook, check_name, next_version
from streams.engines.port import Record
from streams.errors import ConflictError, InputError, NotFoundError
from streams.events import Campaign, Event, RunUpdate


class FakeLog:
    """The reading half of a log, in a list."""

    def __init__(self, topic: str, events: Sequence[Event]) -> None:
        self.records = [
            Record(topic=topic, partition=0, offset=offset, key="k", event=event) for offset, event in enumerate(events)
        ]

    def read(self, topic: str, start: int = 0, limit: int = 1000) -> Sequence[Record]:
        return self.records[start : start + limit]

    def end(self, topic: str) -> int:
        return len(self.records)


def update(run: str = "r", status: Any = "requested", **changes: Any) -> RunUpdate:
    return RunUpdate(run=run, batch="b", status=status, **changes)


def book_of(*updates: RunUpdate) -> RunBook:
    book = RunBook()
    book.load(FakeLog("run_updates", updates))
    return book


# ---------------------------------------------------------------- runs


def test_nothing_waits() -> None:
    assert RunBook().claim("one", 0) is None


def test_the_oldest_request_comes_first_and_a_campaign_has_one_at_a_time() -> None:
    late, early = update("late", ingested_at=2), update("early", ingested_at=1)
    other = update("other", campaign="other", ingested_at=3)
    book = book_of(late, early, other)
    claims = [book.claim(trainer, 10) for trainer in ("one", "two", "three")]
    assert [claim and claim[0].run for claim in claims] == ["early", "other", None]


def test_a_run_that_is_asked_for_twice_keeps_its_trainer() -> None:
    """The same event may stand in a cluster's log twice."""
    book = book_of(update(), update(status="claimed", trainer="one", ingested_at=100), update())
    assert book.claim("two", 101) is None


def test_offsets_may_have_holes_and_nothing_is_taken_twice_or_before_its_time() -> None:
    """Several topics share one partition in a cluster."""
    book, log = RunBook(), FakeLog("run_updates", [update()])
    later = Record(topic="run_updates", partition=0, offset=7, key="k", event=update(status="claimed", trainer="one"))
    book.apply([later])  # not loaded yet: `load` must not believe that it has seen the log up to 7
    book.load(log)
    claim = book.claim("two", 0)
    assert claim
    book.restore(claim[1])
    book.apply([later])
    book.apply([later])
    assert (own := book.claim("one", 1))
    assert (own[1].claims, own[0].place) == (1, "default/1")


def test_a_claim_that_failed_does_not_undo_what_the_log_said_meanwhile() -> None:
    book = book_of(update())
    claim = book.claim("one", 0)
    assert claim
    other = update(status="claimed", trainer="two", ingested_at=5)
    book.apply([Record(topic="run_updates", partition=0, offset=9, key="k", event=other)])
    book.restore(claim[1])
    assert book.check_owner("r", "two").claims == 1


def test_ones_own_run_comes_back_and_a_lost_one_goes_to_whoever_comes() -> None:
    book = book_of(update(), update(status="claimed", trainer="one", ingested_at=100))
    assert (own := book.claim("one", 101))
    assert own[0].run == "r"
    assert book.claim("two", 101 + CLAIM_LOST_MS) is None
    assert (lost := book.claim("two", 102 + CLAIM_LOST_MS))
    assert lost[0].trainer == "two"


def test_a_claim_that_could_not_be_written_is_undone() -> None:
    book = book_of(update())
    claim = book.claim("one", 1)
    assert claim
    book.restore(claim[1])
    assert (again := book.claim("two", 2))
    assert again[0].run == "r"


def test_only_its_trainer_reports_on_a_run() -> None:
    book = book_of(update(), update(status="claimed", trainer="one"))
    assert book.check_owner("r", "one").run == "r"
    with pytest.raises(ConflictError):
        book.check_owner("r", "two")
    with pytest.raises(NotFoundError):
        book.check_owner("nothing", "one")


def test_the_first_claim_says_the_parent() -> None:
    book = book_of(update(parent="asked"), update(status="claimed", trainer="one", parent="first"))
    book.apply(FakeLog("run_updates", [update()] * 2 + [update(status="progress", trainer="one")]).records[2:])
    assert book.check_owner("r", "one").parent == "first"


def test_claims_are_counted_once_each_whoever_brings_them() -> None:
    log = FakeLog("run_updates", [update(), *[update(status="claimed", trainer="one")] * 3])
    book = RunBook()
    book.apply(log.records[2:])  # after a gap: the log will tell all
    book.load(log)
    book.apply(log.records[1:])
    assert book.check_owner("r", "one").claims == 3


def test_what_is_no_run_update_is_passed_over() -> None:
    book = book_of(update())
    book.apply(FakeLog("campaigns", [Campaign(name="c", version=1)] * 2).records)
    assert (claim := book.claim("one", 1))
    assert claim[0].run == "r"


# ---------------------------------------------------------------- campaigns


def test_the_newest_version_whatever_the_order() -> None:
    book = CampaignBook()
    first, second = Campaign(name="c", version=1, guideline="old"), Campaign(name="c", version=2)
    book.apply(FakeLog("campaigns", [second, first]).records)
    assert book.get("c").version == 2
    assert book.version("c", 1).guideline == "old"
    assert book.version("c", 7).version == 2
    with pytest.raises(NotFoundError) as caught:
        book.get("d")
    assert "c" in caught.value.mend


def test_a_campaign_that_does_not_change_keeps_its_version() -> None:
    book = CampaignBook()
    first = next_version(book, "c", Campaign(name="c", version=0))
    assert (first.version, first.id) == (1, "campaign:c:1")
    book.apply(FakeLog("campaigns", [first]).records)
    assert next_version(book, "c", Campaign(name="c", version=0, ingested_at=9)) is book.get("c")
    assert next_version(book, "c", Campaign(name="c", version=0, guideline="new")).version == 2


@pytest.mark.parametrize("name", ["", "a/b", "a b", "x" * 65, "..\x00", "%2e"])
def test_names_that_cannot_stand_in_a_path(name: str) -> None:
    with pytest.raises(InputError):
        check_name(name, "model")
    check_name("m-1_b.2", "model")
