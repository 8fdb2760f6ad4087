"""Recorded items and judgments into the log: by the live path's admission, in chunks, each chunk once."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import TypeVar

from msgspec.structs import replace
from sqlalchemy import Connection, RowMapping, select

from services.bootstrap import Service
from services.replay.recordings import BadLine, Item, Recorded, milliseconds
from services.store import models as m
from streams.admission import (
    RawJudgment,
    RawOutput,
    RawResponse,
    Shown,
    Side,
    TaskFacts,
    admit_output,
    judgment_hash,
    stamp_judgment,
)
from streams.engines.port import Admission, Transaction
from streams.errors import InputError
from streams.events import Campaign, Choice, Event, digest
from streams.stages.tasks import task_id

T = TypeVar("T")
CHUNK = 500  # records a transaction at most; all of them are scored before the next ones
FIRST_CHUNK = 20  # little is known of anybody yet: what these teach should serve the very next ones
FACTS_KEPT = 50_000  # tasks whose facts are remembered
ACTOR = "replay"
EQUAL = "the two responses of its item are equal: there is nothing to judge"
UNKNOWN = "its item is not among the items"
OTHER = "the same id came before with other content: the first is kept"
EXAMPLES = 3  # of each kind of rejection, for the report


# ---------------------------------------------------------------- what is counted


@dataclass
class Tally:
    """What became of the records of one file."""

    read: int = 0
    new: int = 0
    same: int = 0  # already here, from an earlier run
    rejected: Counter[str] = field(default_factory=Counter)  # by reason
    examples: dict[str, list[str]] = field(default_factory=dict)  # by reason: what, for the first few

    def reject(self, reason: str, what: str) -> None:
        """Counts one that could not be taken."""
        self.rejected[reason] += 1
        examples = self.examples.setdefault(reason, [])
        if len(examples) < EXAMPLES:
            examples.append(what)


@dataclass(frozen=True)
class Entry:
    """What is appended under one id, at most once."""

    kind: str
    identity: str
    content_hash: str
    what: str  # for the report
    events: tuple[Event, ...]


# ---------------------------------------------------------------- pure


def output_id(campaign: str, item: str | int) -> str:
    """The output that stands for an item: items of different recordings never meet."""
    return digest("item", campaign, str(item))


def task_of_item(campaign: str, item: str | int) -> str:
    """The task that an item becomes (if its responses differ)."""
    output = output_id(campaign, item)
    return task_id(output, 0, output, 1)


def annotator_id(campaign: str, annotator: str | int) -> str:
    """Recorded people are nobody's live annotators, even where the names are alike."""
    return f"{campaign}/{annotator}"


def side_of(label: Choice, swapped: bool) -> Side:
    """The side that showed the canonical choice."""
    if label == "tie":
        return "tie"
    return "left" if (label == "a") != swapped else "right"


def raw_output(item: Item, campaign: str) -> RawOutput:
    """The item as a producer would send it."""
    return RawOutput(
        prompt=item.prompt,
        responses=[RawResponse(item.a, item.model_a), RawResponse(item.b, item.model_b)],
        id=output_id(campaign, item.item),
        campaign=campaign,
        tags={**item.tags, **({"topic": item.topic} if item.topic else {})},
        trace=str(item.item)[:256],
        gold=item.gold,
    )


def raw_judgment(recorded: Recorded, task: str, now: int) -> RawJudgment:
    """The judgment as the page would send it. Without a time it counts as given now, without `seconds` as untimed."""
    answered_at = milliseconds(recorded.t_end) if recorded.t_end else None
    shown_at = milliseconds(recorded.t_start) if recorded.t_start else None
    if recorded.seconds is not None:
        answered_at = now if answered_at is None else answered_at
        shown_at = answered_at - round(recorded.seconds * 1000)
    return RawJudgment(
        task=task,
        choice=side_of(recorded.label, bool(recorded.shown_swapped)),
        reason=recorded.reason or "",
        shown_at=shown_at,
        answered_at=answered_at,
    )


def growing_chunks(records: Iterable[T]) -> Iterator[list[T]]:
    """The records in lists that grow by a quarter each time, from FIRST_CHUNK to CHUNK."""
    iterator, size = iter(records), FIRST_CHUNK
    while chunk := list(islice(iterator, size)):
        yield chunk
        size = min(CHUNK, size + size // 4)


def chunks(records: Iterable[T], size: int = CHUNK) -> Iterator[list[T]]:
    """The records in lists of at most `size`."""
    iterator = iter(records)
    while chunk := list(islice(iterator, size)):
        yield chunk


def judgments_by_item(records: Iterable[Recorded]) -> Counter[str]:
    """How many judgments each item has. An item is a number in one file and the same as text in another."""
    return Counter(str(record.item) for record in records)


def attributes_by_annotator(records: Iterable[Recorded]) -> dict[str, dict[str, str]]:
    """What the records say of their annotators, where they say anything; the last word on each attribute stands."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for one in records:
        said = {"vendor": one.vendor, "cohort": one.cohort, "source": one.source}
        if named := {name: value for name, value in said.items() if value}:
            found[str(one.annotator)] |= named
    return found


# ---------------------------------------------------------------- into the log


class Feeder:
    """Feeds one campaign. Everything is admitted by id: what an earlier run appended is counted and left alone."""

    def __init__(self, service: Service, campaign: Campaign, counts: Mapping[str, int]) -> None:
        self._service = service
        self._campaign = campaign
        self._counts = counts  # judgments that the recording has on each item
        self._facts: dict[str, TaskFacts | str] = {}  # by task; a string says why there is none

    def feed_items(self, records: Iterable[Item | BadLine], tally: Tally, advance: Callable[[], None]) -> None:
        """Appends an output for each item that is new; durable when it returns."""
        self._feed(records, tally, advance, self._output_entries)

    def feed_judgments(self, records: Iterable[Recorded | BadLine], tally: Tally, advance: Callable[[], None]) -> None:
        """Appends each judgment that is new, in order; durable when it returns. The items' tasks must exist."""
        self._feed(records, tally, advance, self._judgment_entries)

    def _feed(
        self,
        records: Iterable[T],
        tally: Tally,
        advance: Callable[[], None],
        entries_of: Callable[[Sequence[T], Tally], list[Entry]],
    ) -> None:
        for chunk in growing_chunks(records):
            tally.read += len(chunk)
            if entries := self._unseen(entries_of(chunk, tally), tally):
                # What the stages learn must not depend on how fast this machine feeds them: one chunk at a time.
                self._service.engine.drain()
                admissions = self._service.log.submit(partial(_append, entries)).result()
                for entry, admission in zip(entries, admissions, strict=True):
                    _count(tally, entry, admission)
            advance()

    def _output_entries(self, chunk: Sequence[Item | BadLine], tally: Tally) -> list[Entry]:
        entries = []
        now = self._service.clock()
        for item in chunk:
            if isinstance(item, BadLine):
                tally.reject(item.reason, f"line {item.number}")
                continue
            try:
                output, words = admit_output(raw_output(item, self._campaign.name), self._campaign, now, ACTOR)
            except InputError as error:
                tally.reject(str(error), f"item {item.item}")
                continue
            what = f"item {item.item}"
            # The overlap is known for once: agreements are told when the last judgment is in, and not revised before.
            output = replace(output, overlap=self._counts.get(str(item.item), output.overlap))
            entries.append(Entry("output", output.output, output.content_hash, what, (words, output)))
        return entries

    def _judgment_entries(self, chunk: Sequence[Recorded | BadLine], tally: Tally) -> list[Entry]:
        facts = self._facts_of([one.item for one in chunk if isinstance(one, Recorded)])
        now = self._service.clock()
        entries = []
        for recorded in chunk:
            if isinstance(recorded, BadLine):
                tally.reject(recorded.reason, f"line {recorded.number}")
                continue
            found = facts[task_of_item(self._campaign.name, recorded.item)]
            what = f"{recorded.annotator} on item {recorded.item}"
            if isinstance(found, str):
                tally.reject(found, what)
                continue
            try:
                entries.append(self._judgment_entry(recorded, found, now, what))
            except InputError as error:
                tally.reject(str(error), what)
        return entries

    def _judgment_entry(self, recorded: Recorded, facts: TaskFacts, now: int, what: str) -> Entry:
        raw = raw_judgment(recorded, facts.task, now)
        annotator = annotator_id(self._campaign.name, recorded.annotator)
        shown = Shown(annotator=annotator, swapped=bool(recorded.shown_swapped))
        judgment, words = stamp_judgment(raw, facts, shown, self._campaign, now, ACTOR)
        events: tuple[Event, ...] = (words, judgment) if words else (judgment,)
        return Entry("judgment", judgment.judgment, judgment_hash(raw), what, events)

    def _unseen(self, entries: list[Entry], tally: Tally) -> list[Entry]:
        """Those that are not admitted yet: an earlier run's are counted by one read, without the writer."""
        if not entries:
            return []
        table = m.admissions.c
        wanted = [entry.identity for entry in entries]
        with self._service.database.connect() as sql:
            query = select(table.identity, table.content_hash).where(
                table.kind == entries[0].kind, table.identity.in_(wanted)
            )
            known = dict(iter(sql.execute(query)))
        seen = [entry for entry in entries if entry.identity in known]
        for entry in seen:
            _count(tally, entry, "same" if known[entry.identity] == entry.content_hash else "other")
        return [entry for entry in entries if entry.identity not in known]

    def _facts_of(self, items: Sequence[str | int]) -> dict[str, TaskFacts | str]:
        """By task: its facts, or why there is none."""
        if len(self._facts) > FACTS_KEPT:
            self._facts.clear()
        name = self._campaign.name
        outputs = {task_of_item(name, item): output_id(name, item) for item in items}
        missing = {task: output for task, output in outputs.items() if task not in self._facts}
        if missing:
            with self._service.database.connect() as sql:
                self._facts.update(_missing_facts(sql, missing))
        return self._facts


def _missing_facts(sql: Connection, outputs: Mapping[str, str]) -> dict[str, TaskFacts | str]:
    """Of these tasks (task -> its item's output)."""
    known = select(m.outputs.c.output).where(m.outputs.c.output.in_(outputs.values()))
    admitted = set(sql.scalars(known))
    found: dict[str, TaskFacts | str] = {
        task: EQUAL if output in admitted else UNKNOWN for task, output in outputs.items()
    }
    for row in sql.execute(select(m.tasks).where(m.tasks.c.task.in_(outputs.keys()))).mappings():
        found[row["task"]] = _facts(row)
    return found


def _facts(row: RowMapping) -> TaskFacts:
    return TaskFacts(
        task=row["task"],
        campaign=row["campaign"],
        campaign_version=row["campaign_version"],
        gold=row["gold"],
        prompt_length=row["prompt_length"],
        length_a=row["a"]["response"]["length"],
        length_b=row["b"]["response"]["length"],
        mode=row["mode"],
        correlation=row["correlation"],
    )


def _append(entries: Sequence[Entry], transaction: Transaction) -> list[Admission]:
    """Appends what is new; how each one was admitted."""
    admissions = []
    for entry in entries:
        admission = transaction.admit(entry.kind, entry.identity, entry.content_hash)
        if admission == "new":
            for event in entry.events:
                transaction.append(event)
        admissions.append(admission)
    return admissions


def _count(tally: Tally, entry: Entry, admission: Admission) -> None:
    if admission == "new":
        tally.new += 1
    elif admission == "same":
        tally.same += 1
    else:
        tally.reject(OTHER, entry.what)
