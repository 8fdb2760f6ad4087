"""One question to an OpenAI-compatible endpoint."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from services import completions
from services.completions import CompletionError, complete

GOOD = {"choices": [{"message": {"content": "hello"}}], "usage": {"total_tokens": 3}}


def said(*answers: Any, stop: bool = False) -> tuple[str, list[float]]:
    waiting, waits = list(answers), []

    def model(request: httpx.Request) -> httpx.Response:
        answer = waiting.pop(0)
        if isinstance(answer, Exception):
            raise answer
        status, body = answer
        return httpx.Response(status, json=body)

    def pause(seconds: float) -> bool:
        waits.append(seconds)
        return stop

    with httpx.Client(transport=httpx.MockTransport(model)) as client:
        return complete(client, "http://h/v1", {"model": "m"}, pause), waits


def test_outages_are_waited_for_longer_each_time() -> None:
    text, waits = said((503, {}), httpx.ConnectError("no"), (200, GOOD))
    assert (text, waits) == ("hello", [completions.BACKOFF_S, 2 * completions.BACKOFF_S])


@pytest.mark.parametrize(("answers", "passing"), [([(429, {})] * 3, True), ([(401, {})], False)])
def test_what_does_not_pass_is_told_apart_from_what_may(answers: list[Any], passing: bool) -> None:
    with pytest.raises(CompletionError, match="did not answer") as caught:
        said(*answers)
    assert caught.value.passing == passing


@pytest.mark.parametrize("body", [{}, {"choices": []}, {"choices": [{"message": {"content": None}}]}])
def test_what_is_no_completion_is_an_error(body: Any) -> None:
    with pytest.raises(CompletionError, match="no completion"):
        said((200, body))


def test_who_is_told_to_stop_does_not_ask_again() -> None:
    with pytest.raises(CompletionError, match="stopping"):
        said((503, {}), (200, GOOD), stop=True)
