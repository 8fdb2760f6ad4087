"""What browsers get that is no JSON: the annotator page's files and the API's reference."""

from __future__ import annotations

from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

from services.api.reference import page

FOLDER = Path(__file__).parent / "page"
HEADERS = {
    # A browser asks each time and mostly hears 304: after an upgrade no old module meets a new one.
    "Cache-Control": "no-cache",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}


class Assets(StaticFiles):
    """The page's files, asked for again at each visit."""

    async def get_response(self, path: str, scope: MutableMapping[str, Any]) -> Response:
        """See StaticFiles."""
        response = await super().get_response(path, scope)
        response.headers.update(HEADERS)
        return response


def mount(app: Starlette, document: Any) -> None:
    """`/docs` out of the OpenAPI document that `document()` makes, and the page under everything else."""

    async def docs(_: Request) -> Response:
        return HTMLResponse(page(document()), headers=HEADERS)

    app.add_route("/docs", docs, include_in_schema=False)
    app.mount("/", Assets(directory=FOLDER, html=True), name="page")
