"""What every endpoint works with, and the one request that it answers."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import anyio.to_thread
import msgspec
from sqlalchemy import Connection, Select, func, select
from starlette.requests import Request
from starlette.responses import Response

from services.api.auth import Caller, Keyring
from services.api.books import CampaignBook, RunBook
from services.api.elsewhere import Elsewhere
from services.api.errors import BodyError, TooLargeError, TooManyError
from services.api.metrics import Metrics, Sources
from services.api.rates import rates_of
from services.api.replies import Replies
from services.bootstrap import Service
from services.queue.leases import OverdueLeases
from services.store import models as m
from streams.engines.port import Transaction
from streams.errors import InputError, UnavailableError
from streams.mismatch import explained

WANTED = "send what /docs says of this field"
T = TypeVar("T")
MIB = 1024 * 1024
KEY_FRESH_S = 5.0  # a key that another replica revoked is in force for so long at most
IN_VIEW_WITHIN_S, LOOK_S = 5.0, 0.02
HELD_SLASH = "\x00"  # a slash within a part of a path; no id holds this character
encode = msgspec.json.Encoder().encode


class Context:
    """Composed once an app."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.clock = service.clock
        self._replies = Replies()
        self._elsewhere = Elsewhere()
        self.queue = service.queue
        self.overdue = OverdueLeases(service.queue)
        self.campaigns = CampaignBook()
        self.runs = RunBook()
        self.keyring = Keyring(service.database, fresh_s=math.inf if service.is_alone else KEY_FRESH_S)
        self.live = service.live(service.clock())
        self._rates = rates_of(service.settings)
        self.metrics = Metrics(
            Sources(
                queue=self.queue.counts,
                ready=lambda: self.queue.ready and service.engine.failure is None,
                lag=service.engine.lag,
                events=self.live.totals,
                alerts=self._alerts,
                errors=self.live.errors_by_place,
                folder=service.settings.data if service.is_alone else None,
            )
        )

    def _alerts(self) -> dict[str, int]:
        query = select(m.alerts.c.hypothesis, func.count()).group_by(m.alerts.c.hypothesis)
        with self.service.database.connect() as sql:
            return {row[0]: row[1] for row in sql.execute(query)}

    async def ask(self, question: Callable[[], T]) -> T:
        """Asks what a cluster keeps in other servers (queue, words, keys, rates), so that no other request waits.

        One machine has it in memory or in its file: microseconds, which need no thread.
        """
        return question() if self.service.is_alone else await self._elsewhere.run(question)

    async def caller(self, authorization: str) -> Caller:
        """Who sent this Authorization header. Raises UnauthorizedError."""
        known = self.keyring.recalled(authorization)
        return known if known is not None else await self.ask(lambda: self.keyring.caller(authorization))

    async def check_rate(self, key_id: str) -> None:
        """Raises TooManyError where the key is used more often than the settings allow."""
        if (rates := self._rates) is None:
            return
        now = self.clock()
        if wait_ms := await self.ask(lambda: rates.take(key_id, now)):
            raise TooManyError(
                "this key sends more requests a minute than are allowed", retry_after=-(-wait_ms // 1000)
            )

    async def note(self, where: str, message: str) -> None:
        """Adds to the errors that everybody can see. Raises nothing: the answer to the request says more."""
        with contextlib.suppress(UnavailableError):
            await self.ask(lambda: self.live.error(self.clock(), where, message))

    async def write(self, work: Callable[[Transaction], T]) -> T:
        """Runs `work` in the writer's transaction; returns when it is durable."""
        return await self._replies.wait(self.service.log.submit(work))

    async def query(self, read: Callable[[Connection], T]) -> T:
        """Reads the views in a thread, so that no request waits for SQL."""

        def run() -> T:
            with self.service.database.connect() as sql:
                return read(sql)

        return await anyio.to_thread.run_sync(run)

    async def in_view(self, rows: Select[Any]) -> None:
        """Returns when the views have such a row, so that who looks next sees what was written; or after a moment.

        It is durable either way: were an outage of the views told here, who sent it would send it again.
        """
        with contextlib.suppress(UnavailableError):
            for _ in range(int(IN_VIEW_WITHIN_S / LOOK_S)):
                if await self.query(lambda sql: sql.execute(rows).first()) is not None:
                    return
                await asyncio.sleep(LOOK_S)


@dataclass(slots=True)
class Call:
    """One request, its caller known and allowed."""

    request: Request
    context: Context
    caller: Caller

    async def body(self, limit: int = MIB) -> bytes:
        """The whole body. Raises TooLargeError as soon as it is over `limit` bytes."""
        length = self.request.headers.get("content-length", "0")
        if length.isdigit() and int(length) > limit:
            raise _too_large(limit)
        chunks, size = [], 0
        async for chunk in self.request.stream():
            size += len(chunk)
            if size > limit:
                raise _too_large(limit)
            chunks.append(chunk)
        return b"".join(chunks)

    async def read(self, decoder: msgspec.json.Decoder[T], limit: int = MIB) -> T:
        """The body as that type; an empty one is {}."""
        return parse(decoder, await self.body(limit) or b"{}")

    def path(self, name: str) -> str:
        """A part of the path."""
        return str(self.request.path_params[name]).replace(HELD_SLASH, "/")

    def text(self, name: str, default: str = "") -> str:
        """A query parameter."""
        value = self.request.query_params.get(name, default)
        if "\x00" in value:
            raise InputError(f"{name} holds a NUL character", field=name, mend="remove it")
        return value

    def number(self, name: str, default: int, most: int) -> int:
        """A query parameter that is a whole number in [0, most]. Raises InputError."""
        value = self.request.query_params.get(name)
        if value is None:
            return default
        if not (value.isascii() and value.isdigit() and len(value) < 19) or int(value) > most:
            raise InputError(f"{name} is {value[:40]!r}", field=name, mend=f"send a whole number from 0 to {most}")
        return int(value)


def parse(decoder: msgspec.json.Decoder[T], body: bytes | memoryview) -> T:
    """Raises BodyError for what is no JSON, InputError for what is not of the type."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise invalid(error, decoder.type) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BodyError(f"the body cannot be read: {error}", mend="send JSON in UTF-8") from error


def invalid(error: msgspec.ValidationError, expected: Any) -> InputError:
    """The same as an InputError; msgspec says where as `... - at `$.tags[...]``. `expected`: the body's type."""
    message, _, place = explained(error, expected).partition(" - at ")
    field = place.replace("`", "").removeprefix("key in ").removeprefix("$").removeprefix(".")
    if not field and "field `" in message:
        field = message.split("`")[1]
    where = f"{field}: " if field else ""
    mend = "leave it out or mend its name: /docs shows the fields" if "unknown field" in message else WANTED
    return InputError(f"{where}{message}", field=field, mend=mend)


def json_answer(content: Any, status: int = 200) -> Response:
    """`content` as JSON; knows structs."""
    return Response(encode(content), status, media_type="application/json")


def _too_large(limit: int) -> TooLargeError:
    return TooLargeError(f"the body is larger than {limit} bytes", mend="send it in smaller requests")
