"""Asks a model for the second response where a single one has found no partner.

Works for campaigns that name a `sampler_url`. Every answer enters as an output of its own, with both responses,
by the same admission as a producer's; its id follows from the single's, so that asking twice changes nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import httpx
import msgspec
import structlog
from sqlalchemy import select

from services.bootstrap import Service
from services.completions import TIMEOUT_S, CompletionError, complete
from services.coordinator.gather import LogReader, newest_campaigns
from services.store import models as m
from streams.admission import RawOutput, RawResponse, admit_output
from streams.content import RawMessage, RawPart
from streams.engines.port import Transaction
from streams.errors import InputError, PrefloopError, UnavailableError
from streams.events import Campaign, Output, Part, Single, Text, digest
from streams.stages import pairings

WAIT_MS = 30_000  # a partner may still come by itself that long
IN_FLIGHT = 4  # questions at once
AGAIN_MS = 300_000  # an unreachable endpoint is asked anew for that single after this long
MOST_AGAIN = 1_000
PAGE = 200
_log = structlog.get_logger("sampler")


class SamplerError(PrefloopError):
    """The endpoint gave no usable answer; the message says which and why."""


# ---------------------------------------------------------------- decide


def sampled_id(output: str, model: str) -> str:
    """The id of the output that pairs this one with that model's answer."""
    return digest("sampled", output, model)


def completed(single: Single, words: Text, answer: str, campaign: Campaign, now: int) -> tuple[Output, Text]:
    """The single's response and the model's answer as one output. Raises InputError for an answer nobody can judge."""
    first, model = single.candidate, campaign.training.sampler_model
    own = RawResponse(
        content=_sent(words.responses[first.position]),
        model=first.response.model,
        model_version=first.response.model_version,
    )
    raw = RawOutput(
        prompt=[
            RawMessage(role=turn.role, content=[RawPart(text=p.text) for p in turn.content]) for turn in words.prompt
        ],
        responses=[own, RawResponse(content=answer, model=model)],
        id=sampled_id(first.output, model),
        campaign=campaign.name,
        tags=single.source.tags,
        trace=single.source.trace,
    )
    output, text = admit_output(raw, campaign, now, "coordinator")
    return msgspec.structs.replace(output, sampled=True), text  # the rules had chosen the single already


def _sent(parts: tuple[Part, ...]) -> list[RawPart]:
    return [RawPart(text=part.text) for part in parts]


def words_of(parts: tuple[Part, ...]) -> str:
    """The parts as the endpoint takes them."""
    return "\n".join(part.text for part in parts)


# ---------------------------------------------------------------- ask


def ask(client: httpx.Client, words: Text, campaign: Campaign, stopping: threading.Event) -> str:
    """The configured model's answer to the prompt. Raises SamplerError when it gives none after some attempts."""
    training = campaign.training
    body = {
        "model": training.sampler_model,
        "messages": [{"role": turn.role, "content": words_of(turn.content)} for turn in words.prompt],
    }
    try:
        return complete(client, training.sampler_url, body, stopping.wait)
    except CompletionError as error:
        raise SamplerError(f"{error}: check sampler_url") from error


# ---------------------------------------------------------------- the service around it


@dataclass
class Counts:
    """What became of the questions since the start."""

    answered: int = 0
    failed: int = 0


@dataclass
class Sampler:
    """Call `tick` often: it never waits for the model. `close` when done."""

    service: Service
    client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=TIMEOUT_S))
    wait_ms: int = WAIT_MS
    counts: Counts = field(default_factory=Counts)

    def __post_init__(self) -> None:
        self._pool = ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="sampler")
        self._stopping = threading.Event()
        self._asked: dict[str, tuple[Single, Future[None]]] = {}
        self._again: dict[str, tuple[int, Single]] = {}
        self._place: int | None = None
        self._campaigns: dict[str, Campaign] = {}

    def tick(self) -> None:
        """Takes in what was answered and asks for more. Raises SamplerError when a question failed."""
        failures = self._reap()
        self._read_campaigns()
        if self._campaigns:
            for single in self._due():
                if self._is_wanted(single):
                    self._asked[single.candidate.output] = (single, self._pool.submit(self._complete, single))
        if failures:
            raise failures[0]

    def close(self) -> None:
        """Lets the questions under way end, without further attempts."""
        self._stopping.set()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self.client.close()

    def _reap(self) -> list[BaseException]:
        failures = []
        for output, (single, future) in list(self._asked.items()):
            if not future.done():
                continue
            del self._asked[output]
            error = future.exception()
            if error is None:
                self.counts.answered += 1
                continue
            failures.append(error)
            self._failed(single, error)
        return failures

    def _failed(self, single: Single, error: BaseException) -> None:
        self.counts.failed += 1
        _log.warning("no second response", output=single.candidate.output, error=str(error))
        if len(self._again) < MOST_AGAIN and isinstance(error, SamplerError | UnavailableError):
            self._again[single.candidate.output] = (self.service.clock() + AGAIN_MS, single)

    def _read_campaigns(self) -> None:
        """A campaign that has a sampler now and had none before begins with what waits already."""
        with self.service.database.connect() as sql:
            found = {c.name: c for c in newest_campaigns(sql) if c.training.sampler_url and c.mode == "live"}
        if found.keys() - self._campaigns.keys():
            self._place = None
        self._campaigns = found

    def _due(self) -> Iterator[Single]:
        """Singles that have waited long enough, while there is room to ask."""
        now = self.service.clock()
        for output, (due, waiting) in list(self._again.items()):
            if due <= now and len(self._asked) < IN_FLIGHT:
                del self._again[output]
                yield waiting
        if self._place is None:
            self._place = first_since(self.service.store, now - pairings.BUCKET_AGE_MS)
        for record in self.service.store.read("singles", self._place, PAGE):
            single = record.event
            if (
                len(self._asked) >= IN_FLIGHT
                or not isinstance(single, Single)
                or now - single.ingested_at < self.wait_ms
            ):
                return
            self._place = record.offset + 1
            yield single

    def _is_wanted(self, single: Single) -> bool:
        """Still alone, not asked before, and of a campaign that has a sampler."""
        campaign, output = self._campaigns.get(single.campaign), single.candidate.output
        if campaign is None or output in self._asked or output in self._again:
            return False
        state = self.service.engine.state("pairings", single.prompt_digest)
        if not isinstance(state, pairings.State) or all(one.candidate.output != output for one in state.waiting):
            return False
        made = m.outputs.c.output
        with self.service.database.connect() as sql:
            known = sql.execute(select(made).where(made == sampled_id(output, campaign.training.sampler_model)))
            return known.fetchone() is None

    def _complete(self, single: Single) -> None:
        """Asks and admits; on a thread of the pool."""
        words = self.service.store.newest("texts", single.candidate.output)
        if not isinstance(words, Text):
            return  # erased meanwhile
        campaign = self._campaigns[single.campaign]
        answer = ask(self.client, words, campaign, self._stopping)
        try:
            output, text = completed(single, words, answer, campaign, self.service.clock())
        except InputError as error:
            raise InputError(f"the answer of {campaign.training.sampler_model!r} cannot be used: {error}") from error
        self.service.log.submit(partial(_append, output, text)).result()


def _append(output: Output, text: Text, transaction: Transaction) -> None:
    if transaction.admit("output", output.output, output.content_hash) == "new":
        transaction.append(text)
        transaction.append(output)


def first_since(log: LogReader, ms: int) -> int:
    """The offset of the first single acknowledged at that time or later, by bisection."""
    low, high = 0, log.end("singles")
    while low < high:
        middle = (low + high) // 2
        records = log.read("singles", middle, 1)
        if records and records[0].event.ingested_at < ms:
            low = middle + 1
        else:
            high = middle
    return low
