"""A service on this machine that answers like docs/api.md, and like an outage when told to."""

from __future__ import annotations

import json
import threading
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple


class Answer(NamedTuple):
    """What to say instead of the truth."""

    status: int
    body: str = ""
    headers: dict[str, str] = {}


def refusal(status: int, code: str, **headers: str) -> Answer:
    """A refusal with prefloop's error body."""
    return Answer(status, json.dumps({"error": {"code": code, "message": "no", "field": "", "mend": "do"}}), headers)


class LocalService:
    """Keeps what it accepted. `script` holds answers for the next requests, `always` one for all of them."""

    def __init__(self) -> None:
        self.outputs: dict[str, dict[str, Any]] = {}
        self.signals: dict[str, dict[str, Any]] = {}
        self.requests: list[tuple[str, int]] = []  # path, entries
        self.keys: set[str] = set()
        self.script: deque[Answer] = deque()
        self.always: Answer | None = None
        self.asked = threading.Event()  # a request has come
        self.gate = threading.Event()  # cleared: requests wait here
        self.gate.set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._requests())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self.gate.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, path: str, body: bytes, key: str) -> Answer:
        lines = body.split(b"\n")
        self.requests.append((path, len(lines)))
        self.keys.add(key)
        self.asked.set()
        self.gate.wait()
        said = self.script.popleft() if self.script else self.always
        if said:
            return said
        return self._outputs(lines) if path == "/v1/outputs" else self._signal(json.loads(body))

    def _outputs(self, lines: list[bytes]) -> Answer:
        accepted, duplicates, errors = 0, 0, []
        for index, line in enumerate(lines):
            item = json.loads(line)
            if item["prompt"] == "bad":
                error = {"code": "invalid", "field": "prompt", "message": "bad prompt", "mend": "send a better one"}
                errors.append({"index": index, "id": item["id"], **error})
            elif item["id"] in self.outputs:
                duplicates += 1
            else:
                self.outputs[item["id"]] = item
                accepted += 1
        counts = {"accepted": accepted, "duplicates": duplicates, "rejected": len(errors), "errors": errors}
        return Answer(200, json.dumps(counts))

    def _signal(self, item: dict[str, Any]) -> Answer:
        known = item["id"] in self.signals
        self.signals[item["id"]] = item
        return Answer(200 if known else 201, json.dumps({"id": item["id"]}))

    def _requests(service) -> type[BaseHTTPRequestHandler]:  # noqa: N805  (self is the request's, below)
        class Request(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                said = service.answer(self.path, body, self.headers["Authorization"])
                payload = said.body.encode()
                self.send_response(said.status)
                for name, value in said.headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            def log_message(self, format: str, *args: object) -> None:
                """Silence."""

        return Request
