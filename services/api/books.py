"""What the API keeps in memory of the log: campaigns and training runs."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec

from services.coordinator.gather import LogReader
from streams.engines.port import Record
from streams.errors import ConflictError, InputError, NotFoundError
from streams.events import Campaign, RunUpdate

CLAIM_LOST_MS = 5 * 60_000  # a trainer not heard of for so long has lost its run
PAGE = 1_000


class CampaignBook:
    """Every version of every campaign."""

    def __init__(self) -> None:
        self._newest: dict[str, Campaign] = {}
        self._versions: dict[tuple[str, int], Campaign] = {}

    def load(self, log: LogReader) -> None:
        """Reads the whole topic; it is short."""
        start = 0
        while records := log.read("campaigns", start, PAGE):
            self.apply(records)
            start = records[-1].offset + 1

    def apply(self, records: Sequence[Record]) -> None:
        """Takes over committed campaigns."""
        for record in records:
            if isinstance(event := record.event, Campaign):
                if (event.name, event.version) in self._versions:
                    continue  # sent twice: the first copy counts
                self._versions[event.name, event.version] = event
                if event.version >= self.version_of(event.name):
                    self._newest[event.name] = event

    def get(self, name: str) -> Campaign:
        """The newest version. Raises NotFoundError."""
        campaign = self._newest.get(name)
        if campaign is None:
            raise NotFoundError(
                f"there is no campaign {name!r}",
                field="campaign",
                mend=f"use one of: {', '.join(sorted(self._newest)) or 'none yet'}, or make it first",
            )
        return campaign

    def version(self, name: str, version: int) -> Campaign:
        """That version, or the newest where it is unknown."""
        return self._versions.get((name, version)) or self.get(name)

    def version_of(self, name: str) -> int:
        """0 where there is none."""
        known = self._newest.get(name)
        return known.version if known else 0

    def all(self) -> list[Campaign]:
        """The newest version of each, by name."""
        return [self._newest[name] for name in sorted(self._newest)]


@dataclass(frozen=True, kw_only=True)
class Run:
    """A training run as its newest events leave it."""

    run: str
    campaign: str
    batch: str
    status: str
    trainer: str
    base_model: str
    parent: str  # the champion it starts from, as of its first claim
    config: dict[str, object]
    heard_at: int  # ms
    order: int  # when it was requested
    claims: int = 0  # how often a trainer began, or went on, with it
    place: str = ""  # of a claim that is not yet in the log: the campaign, and how many claims it has seen before


class RunBook:
    """Decides who may work on a run: one at a time a campaign, and never two trainers on one run."""

    def __init__(self) -> None:
        self._runs: dict[str, Run] = {}
        self._next = 0  # offset of the next update to take, so that claims are counted once each
        self._loaded = False
        self._lock = threading.Lock()

    def load(self, log: LogReader) -> None:
        """Takes over what the log says; what is committed meanwhile waits for it."""
        with self._lock:
            while records := log.read("run_updates", self._next, PAGE):
                self._take_all(records)
            self._loaded = True

    def apply(self, records: Sequence[Record]) -> None:
        """Takes over committed run updates; those before `load` are left to it."""
        with self._lock:
            if self._loaded:
                self._take_all([record for record in records if record.topic == "run_updates"])

    def claim(self, trainer: str, now: int) -> tuple[Run, Run] | None:
        """(the run as claimed, as it was before), or None where nothing waits. Undo it by `restore`."""
        with self._lock:
            before = self._claimable(trainer, now)
            if before is None:
                return None
            place = f"{before.campaign}/{self._claims(before.campaign)}"
            claimed = replace(before, status="claimed", trainer=trainer, heard_at=now, place=place)
            self._runs[before.run] = claimed
            return claimed, before

    def restore(self, before: Run) -> None:
        """The claim could not be written. What the log has said of the run meanwhile stays."""
        with self._lock:
            if self._runs[before.run].place:
                self._runs[before.run] = before

    def check_owner(self, run: str, trainer: str) -> Run:
        """The run, if that trainer works on it. NotFoundError, ConflictError."""
        with self._lock:
            known = self._runs.get(run)
        if known is None:
            raise NotFoundError(f"there is no run {run!r}", field="run", mend="claim one: POST /v1/runs/claim")
        if known.trainer != trainer or known.status not in ("claimed", "progress"):
            raise ConflictError(
                f"run {run!r} is {known.status} and not yours to report on",
                field="trainer",
                mend="stop working on it and claim another",
            )
        return known

    def _claimable(self, trainer: str, now: int) -> Run | None:
        """One's own first, then what was lost, then the oldest request of a campaign where nobody is at work."""
        runs = sorted(self._runs.values(), key=lambda run: run.order)
        at_work = [run for run in runs if run.status in ("claimed", "progress")]
        own = [run for run in at_work if run.trainer == trainer]
        lost = [run for run in at_work if now - run.heard_at > CLAIM_LOST_MS]
        busy = {run.campaign for run in at_work}
        requested = [run for run in runs if run.status == "requested" and run.campaign not in busy]
        return next(iter([*own, *lost, *requested]), None)

    def _take_all(self, records: Sequence[Record]) -> None:
        for record in records:
            if record.offset >= self._next and isinstance(event := record.event, RunUpdate):
                known = self._runs.get(event.run)
                self._next = record.offset + 1
                if known is None or event.status != "requested":  # asked for twice is asked for once
                    self._runs[event.run] = _with(known, event)

    def _claims(self, campaign: str) -> int:
        """How many claims of the campaign's runs the log holds, as far as it is known here."""
        return sum(run.claims for run in self._runs.values() if run.campaign == campaign)


def _with(known: Run | None, event: RunUpdate) -> Run:
    run = known or _begun(event)
    is_claim = event.status == "claimed"
    return replace(
        run,
        status=event.status,
        trainer=event.trainer or run.trainer,
        parent=event.parent if is_claim else run.parent,
        heard_at=max(run.heard_at, event.ingested_at),
        claims=run.claims + is_claim,
        place="",
    )


def _begun(event: RunUpdate) -> Run:
    return Run(
        run=event.run,
        campaign=event.campaign,
        batch=event.batch,
        status=event.status,
        trainer=event.trainer,
        base_model=event.base_model,
        parent=event.parent,
        config=event.config,
        heard_at=event.ingested_at,
        order=event.ingested_at,
    )


def next_version(book: CampaignBook, name: str, wanted: Campaign) -> Campaign:
    """`wanted` as the version after the newest, or the newest itself where nothing changes."""
    version = book.version_of(name)
    if version:
        known = book.get(name)
        same = msgspec.structs.replace(
            wanted,
            version=version,
            id=known.id,
            occurred_at=known.occurred_at,
            ingested_at=known.ingested_at,
            actor=known.actor,
            campaign_version=known.campaign_version,
        )
        if same == known:
            return known
    return msgspec.structs.replace(
        wanted, version=version + 1, campaign_version=version + 1, id=f"campaign:{name}:{version + 1}"
    )


def new_id(prefix: str) -> str:
    """A random id for what has no natural one."""
    return f"{prefix}{secrets.token_hex(12)}"


def check_name(name: str, field: str) -> None:
    """Names that stand in paths: letters, digits, dot, dash, underscore."""
    if not 0 < len(name) <= 64 or not name.replace("-", "").replace("_", "").replace(".", "").isalnum():
        raise InputError(
            f"{name[:80]!r} is no name", field=field, mend="use 1 to 64 letters, digits, dots, dashes and underscores"
        )
