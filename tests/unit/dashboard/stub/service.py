"""The stub service: who may see what, and what is done to it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, unquote

import httpx

from tests.unit.dashboard.stub import annotators, loop, quality, training
from tests.unit.dashboard.stub.state import Json, State

ROLES = {"plk_lead": "lead", "plk_engineer": "engineer", "plk_admin": "admin", "plk_annotator": "annotator"}


def _error(status: int, code: str, message: str, mend: str) -> tuple[int, Json]:
    return status, {"error": {"code": code, "message": message, "field": "", "mend": mend}}


ANSWERS: dict[str, Callable[[State, list[str], dict[str, str]], Any]] = {  # to GET, by the first part of the path
    "live": loop.live,
    "annotators": annotators.annotators,
    "alerts": annotators.alerts,
    "appeals": annotators.appeals,
    "campaigns": quality.campaigns,
    "quality": quality.quality,
    "batches": loop.batches,
    "datasets": loop.datasets,
    "dead_letters": loop.dead_letters,
    "runs": training.runs,
    "models": training.models,
}


class Stub(State):
    """The service over its state."""

    def transport(self) -> httpx.MockTransport:
        """For httpx.Client(transport=...)."""

        def respond(request: httpx.Request) -> httpx.Response:
            key = request.headers.get("authorization", "").removeprefix("Bearer ")
            body = json.loads(request.content or b"{}")
            status, answer = self.answer(
                request.method, request.url.raw_path.decode().partition("?")[0], dict(request.url.params), body, key
            )
            if isinstance(answer, str):
                return httpx.Response(status, text=answer)
            return httpx.Response(status, json=answer)

        return httpx.MockTransport(respond)

    def answer(self, method: str, path: str, query: dict[str, str], body: Json, key: str) -> tuple[int, Any]:
        """Status and body (JSON, or text of NDJSON lines)."""
        if path in ("/healthz", "/readyz"):
            return 200, {"status": "ok"}
        role = ROLES.get(key)
        if role is None or self.revoked:
            return _error(401, "unauthorized", "this key is not known here", "ask your lead for a key")
        parts = [unquote(part) for part in path.removeprefix("/v1/").split("/")]
        if method == "POST":
            return self._post(parts, body, role)
        if parts[0] in ("annotators", "quality", "alerts") and role not in ("lead", "admin", "engineer"):
            return _error(403, "forbidden", f"a key with role {role} may not see this", "use a lead's key")
        if parts[0] == "me":
            return 200, {"role": role, "annotator": "", "name": f"{role.title()} of the team", "standing": "active"}
        if parts[0] not in ANSWERS:
            return _error(404, "not_found", f"no such path: {path}", "see /docs")
        answer = ANSWERS[parts[0]](self, parts[1:], query)
        if answer is None and parts[-1] == "quarantine":
            return _error(409, "conflict", "no alert says since when", "say since when (ms), or `ever`")
        return (200, answer) if answer is not None else _error(404, "not_found", f"{path} names nothing", "list first")

    def _post(self, parts: list[str], body: Json, role: str) -> tuple[int, Any]:
        if parts[-1] in ("suspend", "reinstate") and role not in ("lead", "admin"):
            return _error(403, "forbidden", "only a lead may do this", "ask a lead")
        self.actions.append(("/".join(quote(part, safe="") for part in parts), body))
        if parts[-1] in ("suspend", "reinstate"):
            standing = "suspended" if parts[-1] == "suspend" else "active"
            self.standings[parts[1]] = (standing, body["reason"])
            return 200, {"annotator": parts[1], "standing": standing, "reason": body["reason"]}
        if parts[-1] == "promote":
            self.champion = parts[1]
        return (201, {"batch": "b3"}) if parts == ["batches"] else (200, {})
