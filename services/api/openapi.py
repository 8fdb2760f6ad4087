"""The OpenAPI document: paths from the endpoints, schemas from the structs, examples from both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import msgspec

from services.api.errors import ErrorAnswer
from services.api.roles import PUBLIC, TABLE
from services.api.routing import Endpoint, path_names

DESCRIPTION = (
    "The human-feedback loop: outputs in, tasks to annotators, judgments, preferences, batches, models. Times are"
    " milliseconds since 1970 UTC. Send your key as `Authorization: Bearer plk_...`."
)
ERRORS = {
    400: "not JSON, or not UTF-8",
    401: "no key in force",
    403: "not for this role or standing",
    404: "no such thing",
    409: "in conflict with what is kept",
    410: "its time is over",
    413: "too large",
    422: "a field is wrong: it is named",
    503: "an outage: nothing was acknowledged, try again after Retry-After",
    507: "the disk is full: nothing was acknowledged",
}


def document(endpoints: Sequence[Endpoint], version: str) -> Callable[[], dict[str, Any]]:
    """Makes the document when it is first asked for."""

    @cache
    def made() -> dict[str, Any]:
        bodies = list(dict.fromkeys(endpoint.body for endpoint in endpoints if endpoint.body is not None))
        references, components = msgspec.json.schema_components(
            [*bodies, ErrorAnswer], ref_template="#/components/schemas/{name}"
        )
        schemas = dict(zip([*bodies, ErrorAnswer], references, strict=True))
        paths: dict[str, dict[str, Any]] = {}
        for endpoint in endpoints:
            paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint, schemas)
        return {
            "openapi": "3.1.0",
            "info": {"title": "prefloop", "version": version, "description": DESCRIPTION},
            "paths": paths,
            "components": {
                "schemas": components,
                "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "bearerFormat": "plk_<id>_<secret>"}},
            },
        }

    return made


def _operation(endpoint: Endpoint, schemas: dict[Any, Any]) -> dict[str, Any]:
    roles = TABLE[endpoint.method, endpoint.path]
    allowed = f"Roles: {', '.join(sorted(roles))}." if roles is not PUBLIC else "No key needed."
    operation: dict[str, Any] = {
        "summary": endpoint.summary,
        "description": allowed,
        "operationId": endpoint.answer.__name__,
        "tags": [endpoint.tag],
        "parameters": _parameters(endpoint),
        "responses": _responses(endpoint, schemas),
        "security": [{"key": []}] if roles is not PUBLIC else [],
    }
    if endpoint.body is not None:
        operation["requestBody"] = _request(endpoint, schemas)
    return operation


def _parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    in_path = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in path_names(endpoint.path)
    ]
    in_query = [
        {"name": name, "in": "query", "required": False, "description": text, "schema": {"type": "string"}}
        for name, text in endpoint.query.items()
    ]
    return in_path + in_query


def _request(endpoint: Endpoint, schemas: dict[Any, Any]) -> dict[str, Any]:
    schema = schemas[endpoint.body]
    content: dict[str, Any] = {"application/json": {"schema": schema, "example": endpoint.example}}
    if endpoint.takes_batches:
        batch = {
            "type": "object",
            "properties": {"outputs": {"type": "array", "items": schema, "maxItems": 10_000}},
            "required": ["outputs"],
            "additionalProperties": False,
        }
        content["application/json"]["schema"] = {"anyOf": [schema, batch]}
        content["application/x-ndjson"] = {"schema": {"type": "string"}}
    return {"required": bool(schema_is_required(endpoint.body)), "content": content}


def schema_is_required(body: Any) -> bool:
    """Whether {} is no such body."""
    return any(field.required for field in msgspec.structs.fields(body))


def _responses(endpoint: Endpoint, schemas: dict[Any, Any]) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for status, example in (endpoint.answers or {200: {}}).items():
        responses[str(status)] = {"description": "done" if status != 204 else "nothing to do"}
        if example is not None:
            responses[str(status)]["content"] = {endpoint.media_type: {"example": example}}
    if endpoint.streams:
        responses["200"]["content"]["application/x-ndjson"] = {"schema": {"type": "string"}}
    error = {"application/json": {"schema": schemas[ErrorAnswer]}}
    if TABLE[endpoint.method, endpoint.path] is not PUBLIC:
        for status, text in ERRORS.items():
            responses.setdefault(str(status), {"description": text, "content": error})
    return responses
