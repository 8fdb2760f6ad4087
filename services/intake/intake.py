"""The Kafka topic `intake`: raw outputs of producers that speak Kafka, admitted by the code that the API uses.

A message's value is the JSON of one output as `POST /v1/outputs` takes it. What is not admitted becomes a dead letter
with its bytes and the reason, and can be replayed. Offsets are committed after the log has acknowledged: a crash admits
again, and the admission index drops what it knows. An output without an id is named by its place.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import structlog
from kafka import KafkaConsumer
from kafka.errors import KafkaError

from services.api.books import CampaignBook
from services.api.routes.outputs import append_outputs
from services.bootstrap import Writing
from services.coordinator.gather import LogReader
from streams.admission import RawOutput, admit_output
from streams.engines.guarded import Delivery
from streams.engines.kafka_connection import KafkaConnection
from streams.engines.kafka_topics import Layout
from streams.engines.port import Transaction
from streams.engines.stamp import dead_letter
from streams.errors import ConflictError, DecodeError, ForbiddenError, InputError, UnavailableError
from streams.events import Campaign, DeadLetter, Output, Text, digest

TOPIC = "intake"
ACTOR = "intake"  # in the audit log: Kafka's own access lists decide who may produce here
MOST = 500  # messages that are admitted together
POLL_MS = 500
AGAIN_S = 2.0  # before a broken consumer is opened again
_decode = msgspec.json.Decoder(RawOutput).decode
_log = structlog.get_logger("intake")

Admitted = tuple[Output, Text]


class Campaigns:
    """The newest version of each campaign, read on from the log."""

    def __init__(self, log: LogReader) -> None:
        self._log = log
        self._book = CampaignBook()
        self._next = 0

    def read_on(self) -> None:
        """Takes over what came since."""
        while records := self._log.read("campaigns", self._next, 1_000):
            self._book.apply(records)
            self._next = records[-1].offset + 1

    def get(self, name: str) -> Campaign:
        """Raises NotFoundError."""
        return self._book.get(name)


class Intake:
    """Admits until it is stopped; any number of processes share the partitions."""

    def __init__(
        self,
        *,
        connection: KafkaConnection,
        layout: Layout,
        log: Writing,
        campaigns: Campaigns,
        clock: Callable[[], int],
    ) -> None:
        self._connection = connection
        self._layout = layout
        self._writer = log
        self._campaigns = campaigns
        self._clock = clock
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self.run, name="intake", daemon=True)
        self.counts = {"accepted": 0, "duplicates": 0, "dead_letters": 0}
        self.failure = "not connected yet"  # the outage it is in

    def start(self) -> None:
        """Runs on a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Finishes what is in hand."""
        self._leaving.set()
        if self._thread.ident:
            self._thread.join()

    def run(self) -> None:
        """Until `stop`; outages are waited out: what was not committed is read again."""
        while not self._leaving.is_set():
            try:
                self._consume()
            except (KafkaError, UnavailableError) as error:
                self.failure = str(error)
                _log.error("outage", error=repr(error))
                self._leaving.wait(AGAIN_S)

    def _consume(self) -> None:
        self._connection.check()
        consumer = KafkaConsumer(
            self._layout.full_name(TOPIC),
            **self._connection.kafka_python(),
            group_id=f"{self._connection.prefix}intake",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_poll_records=MOST,
            session_timeout_ms=10_000,
            heartbeat_interval_ms=3_000,
        )
        try:
            while not self._leaving.is_set():
                found = consumer.poll(timeout_ms=POLL_MS)
                self.failure = ""
                messages = [message for batch in found.values() for message in batch]
                if messages:
                    self._admit([_delivery(message) for message in messages])
                    consumer.commit()
        finally:
            consumer.close(autocommit=False)

    def _admit(self, deliveries: Sequence[Delivery]) -> None:
        """Returns when the log has them, admitted or as dead letters."""
        self._campaigns.read_on()
        admitted, letters = sorted_out(deliveries, self._campaigns.get, self._clock())

        def work(transaction: Transaction) -> tuple[int, int, int]:
            admissions = append_outputs(transaction, [item for _, item in admitted])
            others = [
                letter_of(delivery, ConflictError("this id was already sent with other content; the first one is kept"))
                for admission, (delivery, _) in zip(admissions, admitted, strict=True)
                if admission == "other"
            ]
            for letter in (*letters, *others):
                transaction.append(letter)
            return admissions.count("new"), admissions.count("same"), len(letters) + len(others)

        done = self._writer.submit(work).result()
        for name, count in zip(self.counts, done, strict=True):
            self.counts[name] += count


def sorted_out(
    deliveries: Sequence[Delivery], campaign_of: Callable[[str], Campaign], now: int
) -> tuple[list[tuple[Delivery, Admitted]], list[DeadLetter]]:
    """What may enter, and what may not with the reason. Pure."""
    admitted, letters = [], []
    for delivery in deliveries:
        try:
            admitted.append((delivery, admitted_output(delivery, campaign_of, now)))
        except (InputError, DecodeError) as error:
            letters.append(letter_of(delivery, error))
    return admitted, letters


def admitted_output(delivery: Delivery, campaign_of: Callable[[str], Campaign], now: int) -> Admitted:
    """The output and its words. Raises DecodeError and InputError."""
    try:
        raw = _decode(delivery.payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DecodeError(f"not an output as POST /v1/outputs takes it: {error}") from error
    if raw.gold is not None:
        raise ForbiddenError("gold comes from leads, over the API: leave it out", field="gold")
    place = "i_" + digest(TOPIC, str(delivery.partition), str(delivery.offset))
    return admit_output(raw, campaign_of(raw.campaign), now, ACTOR, place)


def letter_of(delivery: Delivery, error: Exception) -> DeadLetter:
    """The message as a dead letter."""
    place = (delivery.partition, delivery.offset)
    return dead_letter(TOPIC, TOPIC, place, delivery.key.decode(errors="replace"), delivery.payload, error)


def _delivery(message: Any) -> Delivery:
    return Delivery(message.partition, message.offset, message.key or b"", message.value or b"")
