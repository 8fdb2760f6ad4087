"""What every event has in common."""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec

Choice = Literal["a", "b", "tie"]
Mode = Literal["live", "recorded"]  # of a campaign; recorded: no grants, no early stop, alarms not enforced
Role = Literal["annotator", "adjudicator", "model"]


def digest(*parts: str) -> str:
    """A 128-bit hex digest of the parts, for ids and content hashes (blake2b; unambiguous by length prefix)."""
    joined = "".join([f"{len(part)}:{part}" for part in parts])
    return hashlib.blake2b(joined.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


class Struct(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Base of all values inside events: immutable, keyword-only; trees without cycles, so the collector skips them."""


class Origin(Struct, frozen=True, kw_only=True, array_like=True):
    """The input that an event was derived from, and its ordinal among that input's outputs."""

    topic: str
    partition: int
    offset: int
    ordinal: int


class Event(Struct, frozen=True, kw_only=True, tag=True, tag_field="type"):
    """The envelope. `id` and `origin` of a derived event are stamped by the engine (streams/engines/stamp.py)."""

    id: str = ""
    schema_version: int = 1
    campaign: str = "default"
    campaign_version: int = 1
    occurred_at: int = 0  # ms, when it happened in the world
    ingested_at: int = 0  # ms, when prefloop acknowledged it (of a derived event: its input's)
    actor: str = "system"  # "annotator:ID", "key:ID", "stage:NAME", "coordinator", "trainer:ID": the audit log
    origin: Origin | None = None
    correlation: str = ""  # the output (or run) this goes back to, for tracing
