"""A client that costs little beside the server it measures: keep-alive HTTP/1.1 over asyncio streams."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

Call = Callable[["Connection"], Awaitable[object]]


class Connection:
    """One connection of one caller."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: str) -> None:
        self._reader, self._writer, self._key = reader, writer, key

    @classmethod
    async def open(cls, port: int, key: str = "") -> Connection:
        """A connection to this machine's port."""
        return cls(*await asyncio.open_connection("127.0.0.1", port), key)

    async def send(
        self, method: str, path: str, body: bytes = b"", kind: str = "application/json", key: str = ""
    ) -> tuple[int, bytes]:
        """Status and body of the answer; `key` instead of the connection's own."""
        caller = f"Authorization: Bearer {key or self._key}"
        head = f"{method} {path} HTTP/1.1\r\nHost: b\r\n{caller}\r\nContent-Type: {kind}\r\n"
        self._writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        return await self._answer()

    async def post(self, path: str, content: Any, key: str = "") -> Any:
        """The JSON answer to a JSON body; None for an empty one. Raises RuntimeError for a 4xx or 5xx."""
        status, body = await self.send("POST", path, json.dumps(content).encode(), key=key)
        if status >= 400:
            raise RuntimeError(f"{path}: {status} {body[:500]!r}")
        return json.loads(body) if body else None

    async def _answer(self) -> tuple[int, bytes]:
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        status = int(head[9:12])
        length = head.find(b"content-length: ")
        if length < 0:
            return status, b""
        size = int(head[length + 16 : head.index(b"\r", length)])
        return status, await self._reader.readexactly(size)

    def close(self) -> None:
        """Hangs up."""
        self._writer.close()


async def rate(
    connections: list[Connection], calls: int, call: Callable[[Connection, int], Awaitable[object]]
) -> float:
    """Calls a second when every connection sends one after the other, `calls` in all."""
    numbers = iter(range(calls))

    async def work(connection: Connection) -> None:
        for number in numbers:
            await call(connection, number)

    begin = time.perf_counter()
    await asyncio.gather(*(work(connection) for connection in connections))
    return calls / (time.perf_counter() - begin)
