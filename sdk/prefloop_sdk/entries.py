"""What callers log, as bytes that can be sent and kept on disk."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, Union

MOST_BYTES = 2 * 1024 * 1024  # of one entry; the service's own limit of 256 KiB of text, escaped, fits
Kind = Literal["o", "s"]
Prompt = Union[str, Sequence[Mapping[str, Any]]]
Response = Union[str, Mapping[str, Any]]
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


class Entry(NamedTuple):
    """An output ("o") or a signal ("s") as one line of JSON."""

    kind: Kind
    body: bytes


def new_id() -> str:
    """An id made here, so that the service recognises a retry."""
    return uuid.uuid4().hex


def now_ms() -> int:
    """Milliseconds since 1970 UTC."""
    return time.time_ns() // 1_000_000


def output_entry(
    identity: str, prompt: Prompt, responses: Sequence[Response], tags: Mapping[str, str] | None, **fields: Any
) -> Entry:
    """An output. Raises ValueError or TypeError where it can never be accepted."""
    if not prompt:
        raise ValueError("log() needs a prompt")
    if isinstance(responses, (str, Mapping)) or not 1 <= len(responses) <= 8:
        raise ValueError("log() needs a response, or a list of 1 to 8 responses")
    item = {"id": identity, "prompt": prompt, "responses": list(responses), "tags": dict(tags or {})}
    return _entry("o", item, fields)


def signal_entry(identity: str, output: str, kind: str, **fields: Any) -> Entry:
    """A signal about an output. Raises ValueError or TypeError where it can never be accepted."""
    if not output or not kind:
        raise ValueError("signal() needs the output's id and a kind")
    return _entry("s", {"id": identity, "output": output, "kind": kind}, fields)


def _entry(kind: Kind, item: dict[str, Any], fields: dict[str, Any]) -> Entry:
    item.update((name, value) for name, value in fields.items() if value is not None and value != "")
    body = _encode(item).encode("utf-8")
    if len(body) > MOST_BYTES:
        raise ValueError(f"{len(body)} bytes are more than the {MOST_BYTES} that one entry may have")
    return Entry(kind, body)
