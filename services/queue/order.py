"""Which task an annotator gets next: one decision over what is offered, the same in every adapter of the queue."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Literal, Protocol

from services.queue.entries import Entry
from services.queue.port import Grant, Worker
from streams.events import Role, Struct, digest
from streams.quality.routing import Grade

Kind = Literal["escalated", "begun", "fresh", "gold"]


class Offers(Protocol):
    """What one campaign offers to those who have one set of skills."""

    campaign: str

    def first(self, kind: Kind, annotator: str, exclude: Collection[str]) -> Entry | None:
        """The first offer of that kind that the annotator never had."""
        ...


class Terms(Struct, frozen=True, kw_only=True):
    """What the decision needs to know besides."""

    is_spent: Callable[[str], bool]  # whether the campaign has bought all that its budget allows
    gold_rate: Callable[[str], float]  # of the campaign
    given: int  # tasks that the annotator was given so far
    grade: Grade = "better"  # where the annotator stands in the crowd
    is_refused: Callable[[int], bool] = lambda _: (
        True
    )  # whether a request finds nothing that so many reasons speak against
    is_left_to_better: Callable[[Entry], bool] = lambda _: False


def choose(
    worker: Worker, offers: Sequence[Offers], exclude: Collection[str], terms: Terms
) -> tuple[Entry, Role] | None:
    """By grade, priority and age, see streams/quality/routing.py; None where nothing is left for this annotator.

    Tasks already begun come first for the better annotators (so that they close), fresh ones for the others. Who finds
    nothing but what is left to better ones waits, and so does who is asked seldom; neither waits for ever.
    Whoever has to qualify for a campaign is given its gold first, and nothing else of it.
    """
    name = worker.annotator
    shut = worker.capped | worker.barred
    offers = [offer for offer in offers if offer.campaign not in shut]
    if worker.adjudicates:
        for offer in offers:
            if (escalated := offer.first("escalated", name, exclude)) is not None:
                return escalated, "adjudicator"
    offers = [offer for offer in offers if not terms.is_spent(offer.campaign)]
    if worker.unqualified:
        trial = [offer for offer in offers if offer.campaign in worker.unqualified]
        if (asked := _first_gold(name, trial, exclude)) is not None:
            return asked, "annotator"
        offers = [offer for offer in offers if offer.campaign not in worker.unqualified]
    kind, entry = _by_grade(name, offers, exclude, terms)
    if entry is None:
        return None
    is_left = kind == "begun" and terms.grade != "better" and terms.is_left_to_better(entry)
    gold = _gold_instead(worker, offers, entry.facts.campaign, exclude, terms)
    reasons = is_left + (terms.grade == "seldom")
    if gold is None and reasons and terms.is_refused(reasons):
        return None
    return gold or entry, "annotator"


def _by_grade(
    annotator: str, offers: Sequence[Offers], exclude: Collection[str], terms: Terms
) -> tuple[Kind, Entry | None]:
    kinds: tuple[Kind, Kind] = ("begun", "fresh") if terms.grade == "better" else ("fresh", "begun")
    for kind in kinds:
        found = [entry for offer in offers if (entry := offer.first(kind, annotator, exclude)) is not None]
        if found:
            return kind, min(found, key=_urgency)
    return kinds[1], None


def wanted(lease: Grant, campaign: str | None, exclude: Collection[str]) -> bool:
    """Whether an open lease is an answer to a request for a task; one that may not be in the log yet is none."""
    return lease.renewed and lease.facts.task not in exclude and campaign in (None, lease.facts.campaign)


def _gold_instead(
    worker: Worker, offers: Sequence[Offers], campaign: str, exclude: Collection[str], terms: Terms
) -> Entry | None:
    """Hidden gold in place of a task, at the annotator's or the campaign's rate, as a hash that nobody can foresee."""
    rate = worker.gold_rates.get(campaign, terms.gold_rate(campaign))
    if rate <= 0.0 or int(digest("gold", worker.annotator, str(terms.given))[:8], 16) / 2**32 >= rate:
        return None
    return _first_gold(worker.annotator, [offer for offer in offers if offer.campaign == campaign], exclude)


def _first_gold(annotator: str, offers: Sequence[Offers], exclude: Collection[str]) -> Entry | None:
    return next((found for offer in offers if (found := offer.first("gold", annotator, exclude))), None)


def _urgency(entry: Entry) -> tuple[int, int]:
    """The most urgent first."""
    return -entry.priority, entry.order
