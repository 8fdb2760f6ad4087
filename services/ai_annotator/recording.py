"""An endpoint's answers on a file: recorded once, replayed as often as wanted, without the endpoint."""

from __future__ import annotations

import json
from collections import defaultdict, deque
from pathlib import Path

import httpx

from streams.errors import InputError
from streams.events import digest


def key_of(request: httpx.Request) -> str:
    """The same question to the same path has the same key, whatever its headers."""
    return digest(request.url.path, request.content.decode())


class Recorder(httpx.BaseTransport):
    """Passes every request on and appends its answer to the file, one JSON object a line."""

    def __init__(self, file: Path, inner: httpx.BaseTransport | None = None) -> None:
        self._file, self._inner = file, inner or httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """See httpx. What cannot be reached is not recorded."""
        request.read()
        answer = self._inner.handle_request(request)
        body = answer.read().decode()
        line = {"key": key_of(request), "status": answer.status_code, "body": body}
        with self._file.open("a", encoding="utf-8") as opened:
            opened.write(json.dumps(line, ensure_ascii=False) + "\n")
        return httpx.Response(answer.status_code, content=body.encode(), request=request)

    def close(self) -> None:
        """Of the inner transport as well."""
        self._inner.close()


class Replayer(httpx.BaseTransport):
    """Answers from the file: the same question is given its answers in the order recorded, the last one again."""

    def __init__(self, file: Path) -> None:
        self._answers: dict[str, deque[tuple[int, str]]] = defaultdict(deque)
        try:
            for line in filter(None, file.read_text(encoding="utf-8").split("\n")):  # not at a bare U+2028
                one = json.loads(line)
                self._answers[one["key"]].append((one["status"], one["body"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            mend = "give a file that `prefloop ai-annotator --record` wrote"
            raise InputError(f"cannot replay {file}: {error}", field="replay", mend=mend) from error

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """See httpx. A question that was never recorded is answered with 404."""
        request.read()
        answers = self._answers.get(key_of(request))
        if not answers:
            return httpx.Response(404, json={"error": "this question is not in the recording"}, request=request)
        status, body = answers.popleft() if len(answers) > 1 else answers[0]
        return httpx.Response(status, content=body.encode(), request=request)
