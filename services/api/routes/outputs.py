"""Producers: outputs (one, a batch, NDJSON) and signals."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import msgspec
from sqlalchemy import Connection, select
from starlette.responses import Response

from services.api.auth import Caller
from services.api.books import new_id
from services.api.context import MIB, Call, Context, invalid, json_answer, parse
from services.api.errors import BodyError, TooLargeError, body_of
from services.api.routing import Endpoint
from services.bootstrap import LogReads
from services.store import models as m
from streams.admission import RawOutput, RawSignal, admit_output, admit_signal
from streams.engines.port import Admission, Transaction
from streams.errors import ConflictError, ForbiddenError, InputError, NotFoundError, UnavailableError
from streams.events import Output, Signal, Text

MOST_OUTPUTS = 10_000
MOST_BODY = 64 * MIB
MOST_ERRORS = 100
CHUNK = 256  # outputs that are admitted and written together: others get their turn in between


class RawBatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Many outputs in one body, each to be decoded by itself."""

    outputs: list[msgspec.Raw]


class ItemError(msgspec.Struct, kw_only=True):
    """Why one output of a batch was not accepted."""

    index: int
    id: str
    code: str
    field: str
    message: str
    mend: str


class BatchAnswer(msgspec.Struct, kw_only=True):
    """What became of a batch; everything accepted is durable."""

    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    errors: list[ItemError] = []


class _Probe(msgspec.Struct, frozen=True):
    outputs: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _TypedBatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    outputs: list[RawOutput]


_one = msgspec.json.Decoder(RawOutput)
_typed = msgspec.json.Decoder(_TypedBatch)
_raw = msgspec.json.Decoder(RawBatch)
_probe = msgspec.json.Decoder(_Probe)
_signal = msgspec.json.Decoder(RawSignal)

Item = RawOutput | InputError


# ---------------------------------------------------------------- outputs


async def post_outputs(call: Call) -> Response:
    """One output, or many."""
    body = await call.body(MOST_BODY)
    if "ndjson" in call.request.headers.get("content-type", ""):
        return await _many(call, _lines(body))
    if parse(_probe, body).outputs is not msgspec.UNSET:
        return await _many(call, _items(body))
    return await _single(call, parse(_one, body))


async def _single(call: Call, raw: RawOutput) -> Response:
    admitted = _admit(call.context, call.caller, raw)
    (admission,) = await call.context.write(lambda transaction: append_outputs(transaction, [admitted]))
    output = admitted[0].output
    if admission == "other":
        raise _conflict(output)
    status = "accepted" if admission == "new" else "duplicate"
    return json_answer({"id": output, "status": status}, 201 if admission == "new" else 200)


async def _many(call: Call, items: Sequence[Item]) -> Response:
    """Chunk by chunk: while one is being written, the next one is admitted."""
    if len(items) > MOST_OUTPUTS:
        raise TooLargeError(
            f"{len(items)} outputs in one request", field="outputs", mend=f"send at most {MOST_OUTPUTS} at once"
        )
    tally = _Tally()
    written = []
    for start in range(0, len(items), CHUNK):
        admitted = list(_admit_all(call, items[start : start + CHUNK], start, tally))
        written.append(asyncio.ensure_future(_write(call.context, admitted, tally)))
        await asyncio.sleep(0)
    await asyncio.gather(*written)
    return json_answer(tally.answer())


@dataclass
class _Tally:
    accepted: int = 0
    duplicates: int = 0
    errors: list[ItemError] = field(default_factory=list)

    def reject(self, index: int, output: str, error: InputError) -> None:
        _, body = body_of(error)
        self.errors.append(
            ItemError(index=index, id=output, code=body.code, field=body.field, message=body.message, mend=body.mend)
        )

    def answer(self) -> BatchAnswer:
        first = sorted(self.errors, key=lambda error: error.index)[:MOST_ERRORS]
        return BatchAnswer(accepted=self.accepted, duplicates=self.duplicates, rejected=len(self.errors), errors=first)


Admitted = tuple[Output, Text]


def _admit_all(call: Call, items: Sequence[Item], start: int, tally: _Tally) -> Iterator[tuple[int, Admitted]]:
    for index, raw in enumerate(items, start):
        if isinstance(raw, InputError):
            tally.reject(index, "", raw)
            continue
        try:
            yield index, _admit(call.context, call.caller, raw)
        except InputError as error:
            tally.reject(index, raw.id, error)


async def _write(context: Context, admitted: Sequence[tuple[int, Admitted]], tally: _Tally) -> None:
    if not admitted:
        return
    outputs = [item for _, item in admitted]
    admissions = await context.write(lambda transaction: append_outputs(transaction, outputs))
    for (index, (output, _)), admission in zip(admitted, admissions, strict=True):
        if admission == "new":
            tally.accepted += 1
        elif admission == "same":
            tally.duplicates += 1
        else:
            tally.reject(index, output.output, _conflict(output.output))


def append_outputs(transaction: Transaction, admitted: Sequence[Admitted]) -> list[Admission]:
    """Each under its id once; the words before what names them."""
    admissions = transaction.admit_all("output", [(output.output, output.content_hash) for output, _ in admitted])
    for admission, (output, words) in zip(admissions, admitted, strict=True):
        if admission == "new":
            transaction.append(words)
            transaction.append(output)
    return admissions


def _admit(context: Context, caller: Caller, raw: RawOutput) -> Admitted:
    if raw.gold is not None and caller.role not in ("lead", "admin"):
        raise ForbiddenError(
            "only a lead may send outputs with a known answer", field="gold", mend="leave gold out, or use a lead's key"
        )
    campaign = context.campaigns.get(raw.campaign)
    return admit_output(raw, campaign, context.clock(), caller.actor, raw.id or new_id("o_"))


def _conflict(output: str) -> ConflictError:
    return ConflictError(
        f"output {output!r} was already sent with other content; the first one is kept",
        field="id",
        mend="send changed content under a new id",
    )


def _items(body: bytes) -> Sequence[Item]:
    """All at once, or one by one where something is wrong with some of them."""
    try:
        return _typed.decode(body).outputs
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return [_item(raw) for raw in parse(_raw, body).outputs]


def _lines(body: bytes) -> Sequence[Item]:
    try:
        return _one.decode_lines(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return [_item(line) for line in body.split(b"\n") if line.strip()]


def _item(raw: bytes | msgspec.Raw) -> Item:
    try:
        return _one.decode(raw)
    except msgspec.ValidationError as error:
        return invalid(error, _one.type)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return BodyError(f"this one cannot be read: {error}", mend="send JSON in UTF-8")


# ---------------------------------------------------------------- signals


async def post_signal(call: Call) -> Response:
    """What an end user did with an output."""
    raw = await call.read(_signal)
    context = call.context
    campaign = await context.query(lambda sql: _campaign_of(sql, context.service.store, raw.output))
    event, words, content_hash = admit_signal(raw, campaign, context.clock(), call.caller.actor, new_id("s_"))
    admission = await context.write(lambda transaction: _append_signal(transaction, event, words, content_hash))
    if admission == "other":
        raise ConflictError(
            f"signal {event.signal!r} was already sent with other content; the first one is kept",
            field="id",
            mend="send another signal under a new id",
        )
    status = "accepted" if admission == "new" else "duplicate"
    return json_answer({"id": event.signal, "status": status}, 201 if admission == "new" else 200)


def _append_signal(transaction: Transaction, event: Signal, words: Text | None, content_hash: str) -> Admission:
    admission = transaction.admit("signal", event.signal, content_hash)
    if admission == "new":
        if words is not None:
            transaction.append(words)
        transaction.append(event)
    return admission


def _campaign_of(sql: Connection, store: LogReads, output: str) -> str:
    """The log knows at once what the views know a moment later."""
    campaign = sql.execute(select(m.outputs.c.campaign).where(m.outputs.c.output == output)).scalar()
    if campaign:
        return str(campaign)
    words = store.newest("texts", output)
    if not isinstance(words, Text) or not words.prompt:  # a judgment's or a signal's words have no prompt
        admitted = m.admissions.c
        known = select(admitted.kind).where(admitted.kind == "output", admitted.identity == output)
        if words is None and sql.execute(known).first():
            raise UnavailableError("the output is on its way into the views: send the signal again in a moment")
        raise NotFoundError(f"there is no output {output[:80]!r}", field="output", mend="send the output first")
    return words.campaign


EXAMPLE = {
    "id": "o-17",
    "campaign": "default",
    "prompt": "What is a mutex?",
    "responses": ["A lock.", {"content": "A mutual exclusion lock.", "model": "m2", "model_version": "7"}],
    "model": "m1",
    "model_version": "3",
    "tags": {"locale": "en", "domain": "code"},
    "trace": "abc",
}

ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/v1/outputs",
        answer=post_outputs,
        summary='Send an output, or many: {"outputs": [...]} or NDJSON',
        tag="producers",
        body=RawOutput,
        example=EXAMPLE,
        answers={
            201: {"id": "o-17", "status": "accepted"},
            200: {"accepted": 9998, "duplicates": 1, "rejected": 1, "errors": []},
        },
        takes_batches=True,
    ),
    Endpoint(
        method="POST",
        path="/v1/signals",
        answer=post_signal,
        summary="Say what an end user did with an output",
        tag="producers",
        body=RawSignal,
        example={"output": "o-17", "kind": "thumbs_up"},
        answers={201: {"id": "s_5f", "status": "accepted"}},
    ),
)
