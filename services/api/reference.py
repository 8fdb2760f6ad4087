"""The OpenAPI document as a page to read, made on the server: it needs no network and no script."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from typing import Any

Json = Mapping[str, Any]
BOUNDS = {"minimum": "≥", "maximum": "≤", "exclusiveMinimum": ">", "exclusiveMaximum": "<"}
SIZES = (
    ("minLength", "maxLength", "characters"),
    ("minItems", "maxItems", "items"),
    ("minProperties", "maxProperties", "entries"),
)


def page(document: Json) -> str:
    """The whole page."""
    info = document["info"]
    subjects: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            subjects.setdefault(operation["tags"][0], []).append(_operation(method.upper(), path, operation))
    links = "".join(f'<a href="#{tag}">{tag}</a>' for tag in [*subjects, "types"])
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>prefloop: HTTP API</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="/icon.svg">'
        '<link rel="stylesheet" href="/page.css"><link rel="stylesheet" href="/reference.css"></head>'
        f'<body class="reference"><header><h1>prefloop {escape(info["version"])}: the HTTP API</h1>'
        f"<p>{escape(info['description'])} Every 4xx and 5xx has the body"
        f' <a href="#type-ErrorAnswer">ErrorAnswer</a>. For machines: <a href="/openapi.json">/openapi.json</a>.</p>'
        f"<nav>{links}</nav></header><main>{''.join(map(_subject, subjects, subjects.values()))}"
        f'<section id="types"><h2>types</h2>{_types(document["components"]["schemas"])}</section></main></body></html>'
    )


def _subject(tag: str, operations: list[str]) -> str:
    return f'<section id="{tag}"><h2>{tag}</h2>{"".join(operations)}</section>'


def _operation(method: str, path: str, operation: Json) -> str:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    asked = f"<h4>Body: {_type(body['schema'])}</h4>{_example(body['example'])}" if body else ""
    return (
        f"<details><summary><code><b>{method}</b> {escape(path)}</code> <span>{escape(operation['summary'])}</span>"
        f"</summary><p>{escape(operation['description'])}</p>{_parameters(operation['parameters'])}{asked}"
        f"{''.join(_answer(status, told) for status, told in operation['responses'].items())}</details>"
    )


def _parameters(parameters: list[Json]) -> str:
    rows = [
        f"<li><code>{escape(one['name'])}</code> {escape(one.get('description', ''))}</li>"
        for one in parameters
        if one["in"] == "query"
    ]
    return f"<h4>Query</h4><ul>{''.join(rows)}</ul>" if rows else ""


def _answer(status: str, told: Json) -> str:
    """What went well with its example; errors are the same everywhere and said once."""
    if not status.startswith("2"):
        return ""
    examples = [content["example"] for content in told.get("content", {}).values() if "example" in content]
    return f"<h4>{status} {escape(told['description'])}</h4>{''.join(map(_example, examples))}"


def _example(example: Any) -> str:
    text = example if isinstance(example, str) else json.dumps(example, indent=2, ensure_ascii=False)
    return f"<pre>{escape(text)}</pre>"


def _types(schemas: Json) -> str:
    return "".join(
        f'<article id="type-{escape(name)}"><h3>{escape(name)}</h3><p>{escape(schema.get("description", ""))}</p>'
        f"{_fields(schema)}</article>"
        for name, schema in sorted(schemas.items())
    )


def _fields(schema: Json) -> str:
    required = schema.get("required", ())
    rows = [
        f"<tr><td><code>{escape(name)}</code></td><td>{_type(field)}</td>"
        f"<td>{'required' if name in required else _default(field)}</td></tr>"
        for name, field in schema.get("properties", {}).items()
    ]
    return f"<table><tr><th>field<th>type<th>default</tr>{''.join(rows)}</table>" if rows else ""


def _default(field: Json) -> str:
    return f"<code>{escape(json.dumps(field.get('default'), ensure_ascii=False))}</code>"


def _type(schema: Json) -> str:
    """A type in words, as HTML."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rsplit("/", 1)[1])
        return f'<a href="#type-{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(map(_type, schema["anyOf"]))
    if "enum" in schema:
        return ", ".join(f"<code>{escape(str(value))}</code>" for value in schema["enum"])
    return f"{_kind(schema)}{_limits(schema)}"


def _kind(schema: Json) -> str:
    kind = str(schema.get("type", "anything"))
    if kind == "array" and "items" in schema:
        return f"list of {_type(schema['items'])}"
    inner = schema.get("additionalProperties")
    if kind == "object" and isinstance(inner, dict):
        return f"object of {_type(inner)}"
    if kind == "object" and "properties" in schema:
        return f"{{{', '.join(f'{escape(name)}: {_type(one)}' for name, one in schema['properties'].items())}}}"
    return escape(kind)


def _limits(schema: Json) -> str:
    found = [f"{sign} {schema[name]}" for name, sign in BOUNDS.items() if name in schema]
    for low, high, unit in SIZES:
        if low in schema or high in schema:
            found.append(f"{schema.get(low, 0)} to {schema.get(high, 'any number of')} {unit}")
    if "pattern" in schema:
        found.append(f"matching {escape(schema['pattern'])}")
    return f" ({', '.join(found)})" if found else ""
