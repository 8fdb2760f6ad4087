"""One question to an OpenAI-compatible chat completions endpoint."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import msgspec

from streams.errors import PrefloopError

ATTEMPTS = 3
BACKOFF_S = 1.0  # before the second attempt; doubled for each further one
TIMEOUT_S = 120.0


class CompletionError(PrefloopError):
    """The endpoint gave no completion; the message says which and why. `passing`: an outage, worth another attempt."""

    def __init__(self, message: str, *, passing: bool = False) -> None:
        super().__init__(message)
        self.passing = passing


class Reply(msgspec.Struct):
    """The part of an OpenAI chat completion that is read."""

    class Choice(msgspec.Struct):
        """One alternative."""

        class Said(msgspec.Struct):
            """What the assistant says."""

            content: str

        message: Said

    choices: list[Choice]


def endpoint(url: str) -> str:
    """The chat completions address under a base such as http://host:8000/v1."""
    return url if url.endswith("/chat/completions") else url.rstrip("/") + "/chat/completions"


def complete(client: httpx.Client, url: str, body: dict[str, Any], pause: Callable[[float], bool]) -> str:
    """What the model says to `body`, after some attempts. `pause` waits so many seconds and says whether to give up.

    Raises CompletionError.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            response = client.post(endpoint(url), json=body).raise_for_status()
            return msgspec.json.decode(response.content, type=Reply).choices[0].message.content
        except httpx.HTTPError as error:
            passing = is_worth_retrying(error)
            if attempt == ATTEMPTS or not passing:
                raise CompletionError(f"{url} did not answer ({error})", passing=passing) from error
        except (msgspec.DecodeError, IndexError) as error:
            raise CompletionError(f"{url} sent no completion ({error})") from error
        if pause(BACKOFF_S * 2 ** (attempt - 1)):
            break
    raise CompletionError(f"{url} was not asked again: stopping")


def is_worth_retrying(error: httpx.HTTPError) -> bool:
    """Outages pass; a refusal of the request itself does not."""
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code == 429 or error.response.status_code >= 500
    return isinstance(error, httpx.TransportError)
