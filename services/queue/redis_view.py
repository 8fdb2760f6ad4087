"""What look.lua found for one annotator, as the decision wants it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple, cast

import msgspec
from msgspec import Struct

from services.queue.entries import Entry
from services.queue.order import Kind
from services.queue.port import Grant
from services.queue.redis_crowd import bar_from, known_from
from services.queue.redis_documents import Terms, entry_from, terms_of
from streams.events import Campaign


class _Summary(Struct, frozen=True):
    token: str
    standing: str
    given: int
    bought: dict[str, int] | None
    leased: dict[str, int] | None
    leases: int
    bar: str
    known: str


class Offer:
    """See order.Offers: what one bucket offers, already looked up for the annotator."""

    def __init__(self, campaign: str) -> None:
        self.campaign = campaign
        self.entries: dict[Kind, Entry] = {}

    def first(self, kind: Kind, annotator: str, exclude: Collection[str]) -> Entry | None:
        """The script has looked for this annotator, without what is excluded."""
        return self.entries.get(kind)


class Place(NamedTuple):
    """A lane by its name: kind:priority:bucket."""

    kind: Kind
    bucket: str

    @classmethod
    def named(cls, lane: str) -> Place:
        """The parts of the name."""
        kind, _, bucket = lane.split(":", 2)
        return cls(cast(Kind, kind), bucket)


class View:
    """The answer of look.lua."""

    def __init__(self, answer: Sequence[bytes]) -> None:
        summary = msgspec.json.decode(answer[0], type=_Summary)
        self.token, self.standing, self.given = summary.token, summary.standing, summary.given
        self.bar = bar_from(summary.bar)
        self.grade = self.bar.grade(known_from(summary.known))
        self._bought, self._leased = summary.bought or {}, summary.leased or {}
        self._terms = {terms.name: terms for terms in msgspec.json.decode(answer[1], type=list[Terms])}
        leases, offers = answer[2 : 2 + summary.leases], answer[2 + summary.leases :]
        self._leased_documents = [document for document in leases if document]
        self.documents: dict[str, bytes] = {}  # as read, by task
        self.offers = self._offers(offers)

    def _offers(self, found: Sequence[bytes]) -> list[Offer]:
        buckets: dict[str, Offer] = {}
        for lane, document in zip(found[::2], found[1::2], strict=True):
            place, entry = Place.named(lane.decode()), entry_from(document)
            offer = buckets.setdefault(place.bucket, Offer(entry.facts.campaign))
            offer.entries[place.kind] = entry
            self.documents[entry.facts.task] = document
        return list(buckets.values())

    def leases(self, annotator: str) -> list[Grant]:
        """Their open leases, oldest first."""
        entries = [entry_from(document) for document in self._leased_documents]
        holds = [(entry, entry.holds[annotator]) for entry in entries]
        return [entry.grant(hold, renewed=hold.state == "granted") for entry, hold in holds]

    def terms_of(self, campaign: str) -> Terms:
        """The campaign's, or those of one that nobody described."""
        return self._terms.get(campaign) or terms_of(Campaign(name=campaign, version=1))

    def is_spent(self, campaign: str) -> bool:
        """Whether the campaign has bought all that its budget allows."""
        budget = self.terms_of(campaign).budget
        return budget is not None and self._bought.get(campaign, 0) + self._leased.get(campaign, 0) >= budget
