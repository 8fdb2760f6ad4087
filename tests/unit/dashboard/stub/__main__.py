"""`python -m tests.unit.dashboard.stub 8120 [--empty]`, to look at the pages."""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.unit.dashboard.stub import Stub


def main() -> None:
    """Serve a stub on the port named first, until stopped."""
    stub = Stub(empty="--empty" in sys.argv)

    class Handler(BaseHTTPRequestHandler):
        def _respond(self) -> None:
            url = urlsplit(self.path)
            length = int(self.headers.get("content-length") or 0)
            body = json.loads(self.rfile.read(length) or b"{}")
            key = (self.headers.get("authorization") or "").removeprefix("Bearer ")
            query = {name: values[0] for name, values in parse_qs(url.query).items()}
            status, answer = stub.answer(self.command, url.path, query, body, key)
            text = answer if isinstance(answer, str) else json.dumps(answer)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_POST = _respond  # noqa: N815

        def log_message(self, *_args: Any) -> None:
            pass

    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()


if __name__ == "__main__":
    main()
