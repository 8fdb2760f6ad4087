from collections.abc import Collection
from typing import Any

from services.queue.entries import Entry, entry_of
from services.queue.order import Kind, Terms, choose
from services.queue.port import Worker
from streams.events import Candidate, Response, Task

ADA = Worker(annotator="ada")


class Shelf:
    """One campaign's offers."""

    campaign = "default"

    def __init__(self, **entries: Entry) -> None:
        self.entries = entries

    def first(self, kind: Kind, annotator: str, exclude: Collection[str]) -> Entry | None:
        entry = self.entries.get(kind)
        return entry if entry is not None and entry.facts.task not in exclude else None


def entry(name: str) -> Entry:
    a, b = (Candidate(output=name, position=i, response=Response(digest="d", length=9)) for i in (0, 1))
    return entry_of(Task(task=name, a=a, b=b, prompt_digest="p", prompt_length=9), 0)


def chosen(gold_rate: float = 0.0, shelf: Shelf | None = None, **terms: Any) -> str | None:
    shelf = shelf or Shelf(begun=entry("begun"), fresh=entry("fresh"), gold=entry("gold"))
    found = choose(ADA, [shelf], (), Terms(is_spent=lambda _: False, gold_rate=lambda _: gold_rate, given=0, **terms))
    return found[0].facts.task if found else None


def test_the_better_ones_follow_up_and_the_others_begin() -> None:
    assert chosen(grade="better") == "begun"
    assert chosen(grade="usual") == "fresh"


def test_each_takes_the_other_kind_where_theirs_is_gone() -> None:
    assert chosen(grade="better", shelf=Shelf(fresh=entry("fresh"))) == "fresh"
    assert chosen(grade="usual", shelf=Shelf(begun=entry("begun"))) == "begun"


def test_what_is_left_to_better_ones_is_not_given_to_others() -> None:
    last = Shelf(begun=entry("begun"))
    assert chosen(grade="usual", shelf=last, is_left_to_better=lambda _: True) is None
    assert chosen(grade="better", shelf=last, is_left_to_better=lambda _: True) == "begun"


def test_a_request_is_refused_by_how_many_reasons_speak_against_it() -> None:
    last: dict[str, Any] = {"shelf": Shelf(begun=entry("begun")), "is_left_to_better": lambda _: True}
    assert chosen(grade="usual", is_refused=lambda reasons: reasons == 1, **last) is None
    assert chosen(grade="usual", is_refused=lambda reasons: reasons == 2, **last) == "begun"
    assert chosen(grade="seldom", is_refused=lambda reasons: reasons == 2, **last) is None
    assert chosen(grade="seldom", is_refused=lambda reasons: reasons == 2) == "fresh"


def test_who_is_asked_seldom_is_refused_what_is_paid_for_and_given_gold() -> None:
    assert chosen(grade="seldom", is_refused=lambda _: True) is None
    assert chosen(grade="seldom", is_refused=lambda _: False) == "fresh"
    assert chosen(grade="seldom", is_refused=lambda _: True, gold_rate=1.0) == "gold"
