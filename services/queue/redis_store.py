"""Redis as the queue uses it: documents read together, and written by commit.lua if nothing moved meanwhile."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import sha1
from importlib import resources
from typing import Any, NamedTuple, TypeVar

import redis
from msgspec import UNSET, UnsetType
from redis.backoff import NoBackoff
from redis.retry import Retry

from services.queue.entries import Entry
from services.queue.redis_documents import Derived, Limits, as_json, change_between, document_of, entry_from
from streams.errors import UnavailableError

T = TypeVar("T")
LONGEST_S = 2.0  # that a command may take; a request that waits longer has been given up
ATTEMPTS = 100  # at one decision while others decide about the same task
BATCH = 500  # documents read or written together
REBUILDING = "the queue is being rebuilt from the log: try again in a moment"


class LostError(UnavailableError):
    """This is not the Redis that was filled: it restarted, was flushed or was filled anew."""


class Found(NamedTuple):
    """A task as it was read."""

    document: bytes  # empty where Redis has none
    entry: Entry | None


class Write(NamedTuple):
    """A decision that is to be stored."""

    document: bytes  # as it was read
    before: Derived
    entry: Entry  # as it was decided
    limits: Limits | UnsetType = UNSET


def connect(url: str) -> redis.Redis:
    """A pool of connections. Nothing is tried twice behind the caller's back: who decides again reads again."""
    return redis.Redis.from_url(
        url, socket_timeout=LONGEST_S, socket_connect_timeout=LONGEST_S, retry=Retry(NoBackoff(), 0)
    )


@contextlib.contextmanager
def outages_told() -> Iterator[None]:
    """Redis' own errors as UnavailableError."""
    try:
        yield
    except redis.exceptions.NoScriptError as error:
        raise LostError(REBUILDING) from error
    except redis.RedisError as error:
        raise UnavailableError(f"Redis does not answer: {error}", retry_after=2) from error


class RedisStore:
    """All keys begin with the prefix in braces, so that a Redis Cluster keeps them on one node."""

    def __init__(self, client: redis.Redis, prefix: str) -> None:
        self.client: Any = client  # redis-py types every answer as perhaps awaitable
        self.prefix = f"{{{prefix}}}:"
        self._scripts = {name: _script(name) for name in ("look", "commit")}

    def key(self, name: str) -> str:
        """The key of that name."""
        return self.prefix + name

    def run(self, name: str, *arguments: str | bytes, through: Any = None) -> Any:
        """Runs a script that `loaded` has seen. Raises LostError where Redis does not know it."""
        target = through or self.client
        return target.evalsha(sha1(self._scripts[name].encode()).hexdigest(), 0, self.prefix, *arguments)

    # ------------------------------------------------------------ is it ours

    def token(self) -> str:
        """The token of who filled it last; empty where it is not filled."""
        with outages_told():
            pipe = self.client.pipeline(transaction=False)
            pipe.get(self.key("ready"))
            pipe.script_exists(*[sha1(text.encode()).hexdigest() for text in self._scripts.values()])
            token, known = pipe.execute()
        return token.decode() if token and all(known) else ""

    @contextlib.contextmanager
    def filling(self) -> Iterator[str]:
        """Empties it, yields the token to fill it under, and opens it for all at the end."""
        token = secrets.token_hex(8)
        with outages_told():
            self.client.set(self.key("filling"), token)
            self.client.delete(self.key("ready"))
            self._empty()
            for text in self._scripts.values():
                self.client.script_load(text)
            yield token
            pipe = self.client.pipeline()
            pipe.set(self.key("ready"), token)
            pipe.delete(self.key("filling"))
            pipe.execute()

    def _empty(self) -> None:
        pattern = self.prefix.replace("[", r"\[") + "*"
        keys = [key for key in self.client.scan_iter(pattern, count=1000) if key != self.key("filling").encode()]
        for part in parts(keys):
            self.client.unlink(*part)

    # ------------------------------------------------------------ documents

    def read(self, tasks: Sequence[str]) -> tuple[str, list[Found]]:
        """The token, and the documents of these tasks, at one moment."""
        with outages_told():
            token, *documents = self.client.mget([self.key("ready"), *[self.key(f"task:{task}") for task in tasks]])
        found = [Found(document or b"", entry_from(document) if document else None) for document in documents]
        return token.decode() if token else "", found

    def write(self, token: str, writes: Sequence[Write]) -> list[bool]:
        """Whether each was stored; False: it moved since it was read. Raises LostError."""
        with outages_told():
            pipe = self.client.pipeline(transaction=False)
            for write in writes:
                change = change_between(write.before, Derived(write.entry), write.limits)
                self.run(
                    "commit",
                    token,
                    write.entry.facts.task,
                    write.document,
                    document_of(write.entry),
                    as_json(change),
                    through=pipe,
                )
            answers = pipe.execute()
        if b"lost" in answers:
            raise LostError(REBUILDING)
        return [answer == b"ok" for answer in answers]

    def decide(self, task: str, load: Callable[[str], Entry | None], decision: Callable[[Entry | None], T]) -> T:
        """Runs the decision on the task, and stores what it changed; on what is there then, if that moved meanwhile.

        `load` brings a task that Redis does not have. Raises UnavailableError, and what the decision raises.
        """
        for _ in range(ATTEMPTS):
            token, (found,) = self.read([task])
            if not token:
                raise LostError(REBUILDING)
            entry = found.entry or load(task)
            before, was = Derived(found.entry), document_of(entry) if entry else b""
            result = decision(entry)
            if entry is None or document_of(entry) == was:
                return result
            if self.write(token, [Write(found.document, before, entry)]) == [True]:
                return result
        raise UnavailableError("too many decide about this task at once: try again", retry_after=1)

    def numbers(self, name: str) -> dict[str, int]:
        """A hash of counts."""
        with outages_told():
            return {field.decode(): int(count) for field, count in self.client.hgetall(self.key(name)).items()}

    def put(self, name: str, values: Mapping[str, Any]) -> None:
        """Fields of a hash."""
        if values:
            with outages_told():
                self.client.hset(self.key(name), mapping=dict(values))


def parts(items: Iterable[T]) -> Iterator[list[T]]:
    """In batches."""
    part: list[T] = []
    for item in items:
        part.append(item)
        if len(part) == BATCH:
            yield part
            part = []
    if part:
        yield part


def _script(name: str) -> str:
    return resources.files("services.queue").joinpath(f"{name}.lua").read_text(encoding="utf-8")
