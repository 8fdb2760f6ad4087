"""Feeds a file of recorded judgments through the live path and says what came of it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from sqlalchemy import Connection

from services.bootstrap import Service
from services.coordinator.gather import newest_campaign
from services.replay.feed import ACTOR, Feeder, Tally, annotator_id, attributes_by_annotator, judgments_by_item
from services.replay.findings import Findings, compare, findings
from services.replay.recordings import Item, Recorded, Recording, recording, usable
from services.store.attributes import set_attributes
from streams.errors import InputError
from streams.events import Campaign, digest

POLL_S = 0.05  # between two looks at how much is left to score


def replay(open_engine: Callable[[], Service], file: Path, items: Path, name: str, console: Console) -> Findings:
    """Feeds items and judgments, waits until all is scored; what the campaign then says. Raises InputError."""
    begin = time.perf_counter()
    counts = checked(file, items)
    service = open_engine()
    try:
        with _progress(console) as progress:
            of_items, of_judgments = _fed(service, file, items, name, counts, progress)
        service.log.submit(lambda transaction: _set_attributes(transaction.sql, file, name)).result()
        with service.database.connect() as sql, recording(items, Item) as known:
            consensus = compare(sql, name, known.records)
            return findings(sql, name, of_items, of_judgments, consensus, time.perf_counter() - begin)
    finally:
        service.close()


def checked(file: Path, items: Path) -> Counter[str]:
    """How many judgments each item has. Raises InputError where nothing would come of these files; nothing is begun."""
    counts = judgments_by_item(usable(file, Recorded))
    if not any(str(one.item) in counts for one in usable(items, Item)):
        mend = "give the items that were judged, under the same ids"
        raise InputError(f"no judgment of {file} is of an item of {items}; {mend}", field="items", mend=mend)
    return counts


def recorded_campaign(service: Service, name: str) -> Campaign:
    """The campaign of that name, made if absent. Raises InputError where it is a live one."""
    with service.database.connect() as sql:
        campaign = newest_campaign(sql, name)
    if campaign is None:
        now = service.clock()
        campaign = Campaign(
            id=digest("campaign", name, "1"),
            campaign=name,
            name=name,
            version=1,
            mode="recorded",
            actor=ACTOR,
            occurred_at=now,
            ingested_at=now,
        )
        service.log.submit(lambda transaction: transaction.append(campaign)).result()
    if campaign.mode != "recorded":
        mend = "choose another --campaign for recorded judgments"
        raise InputError(f"campaign {name!r} is live, with people at work: {mend}", field="campaign", mend=mend)
    return campaign


def _fed(
    service: Service, file: Path, items: Path, name: str, counts: Mapping[str, int], progress: Progress
) -> tuple[Tally, Tally]:
    """Items first, so that every judgment finds its task."""
    _score(service, progress, "recovering")
    feeder = Feeder(service, recorded_campaign(service, name), counts)
    of_items, of_judgments = Tally(), Tally()
    with recording(items, Item) as known, _bar(progress, "items", known, of_items) as advance:
        feeder.feed_items(known.records, of_items, advance)
    _score(service, progress, "making tasks")
    with recording(file, Recorded) as judged, _bar(progress, "judgments", judged, of_judgments) as advance:
        feeder.feed_judgments(judged.records, of_judgments, advance)
    _score(service, progress, "scoring")
    return of_items, of_judgments


def _set_attributes(sql: Connection, file: Path, name: str) -> None:
    """Those that a lead set since on annotators of whom the file says nothing stay."""
    for annotator, attributes in attributes_by_annotator(usable(file, Recorded)).items():
        set_attributes(sql, annotator_id(name, annotator), attributes)


def _score(service: Service, progress: Progress, title: str) -> None:
    """Waits until stages and views have applied everything."""
    left = sum(service.engine.lag().values())
    bar = progress.add_task(title, total=max(1, left), count="")
    while left:
        progress.update(bar, completed=max(0, (progress.tasks[bar].total or 0) - left), count=f"{left:,} left")
        time.sleep(POLL_S)
        if service.engine.failure:
            break  # drain raises it
        left = sum(service.engine.lag().values())
    service.engine.drain()
    progress.update(bar, completed=progress.tasks[bar].total, count="done")


@contextmanager
def _bar(
    progress: Progress, title: str, source: Recording[Item] | Recording[Recorded], tally: Tally
) -> Iterator[Callable[[], None]]:
    """A bar over the bytes of the file, with the records so far and their rate; call what it gives now and then."""
    begin = time.perf_counter()
    bar = progress.add_task(title, total=source.size, count="")

    def advance() -> None:
        rate = tally.read / max(1e-9, time.perf_counter() - begin)
        progress.update(bar, completed=source.place(), count=f"{tally.read:,} ({rate:,.0f}/s)")

    yield advance
    progress.update(bar, completed=source.size)


def _progress(console: Console) -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description:<13}"),
        BarColumn(),
        TextColumn("{task.fields[count]}"),
        TimeElapsedColumn(),
        console=console,
        refresh_per_second=5,
    )
