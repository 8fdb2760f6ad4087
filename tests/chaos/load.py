"""Producers and annotators that go on through every outage, each with its own seeded choices."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import count

import httpx

from tests.chaos.history import Acknowledged

PAUSE = 0.001  # seconds between two requests of one client
AWAY = (429, 502, 503, 504)  # come again


class Load:
    """Runs while the block is inside; `failures` holds answers that nobody should ever get."""

    def __init__(
        self, urls: Sequence[str], producer_key: str, keys: Sequence[str], *, producers: int, seed: int
    ) -> None:
        self.acknowledged = Acknowledged()
        self.failures: list[str] = []
        self._urls = urls
        self._seed = seed
        self._enough = threading.Event()
        works: list[Callable[[], None]] = [partial(self._produce, producer_key, n) for n in range(producers)]
        works += [partial(self._annotate, key, n) for n, key in enumerate(keys)]
        self._threads = [threading.Thread(target=work) for work in works]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        for thread in self._threads:
            thread.join()

    def _client(self, key: str, number: int) -> httpx.Client:
        url = self._urls[number % len(self._urls)]
        return httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=10)

    def _produce(self, key: str, producer: int) -> None:
        with self._client(key, producer) as http:
            for number in count():
                body = {"id": f"p{producer}-{number}", "prompt": f"q{number}", "responses": ["yes", f"no {number}"]}
                if self._until_taken(http, "/v1/outputs", body) is None:
                    return
                self.acknowledged.add(self.acknowledged.outputs, str(body["id"]))

    def _annotate(self, key: str, number: int) -> None:
        randomness = random.Random(f"{self._seed}/{number}")
        with self._client(key, number) as http:
            while not self._enough.wait(PAUSE):
                granted = self._attempt(http, "/v1/tasks/next", {})
                if granted is None or granted.status_code != 200:
                    continue
                body = {"task": granted.json()["task"], "choice": randomness.choice(["left", "right", "tie"])}
                if (answer := self._until_taken(http, "/v1/judgments", body)) is not None:
                    self.acknowledged.add(self.acknowledged.judgments, answer.json()["judgment"])

    def _until_taken(self, http: httpx.Client, path: str, body: Mapping[str, object]) -> httpx.Response | None:
        """Sends it again and again until it is acknowledged; None at the end, or where it is refused for good."""
        while not self._enough.wait(PAUSE):
            answer = self._attempt(http, path, body)
            if answer is None:
                continue
            if answer.status_code in (200, 201):
                return answer
            self.failures.append(f"{path} answered {answer.status_code}: {answer.text[:200]}")
            return None
        return None

    def _attempt(self, http: httpx.Client, path: str, body: Mapping[str, object]) -> httpx.Response | None:
        """The answer, or None while the service is away."""
        try:
            answer = http.post(path, json=body)
        except httpx.TransportError:
            return None
        return None if answer.status_code in AWAY else answer
