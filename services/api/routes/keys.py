"""Keys, for admins."""

from __future__ import annotations

from typing import Annotated

import msgspec
from sqlalchemy import Connection, select
from starlette.responses import Response

from services.api import auth
from services.api.context import Call, json_answer
from services.api.roles import Role
from services.api.routing import Endpoint
from services.store import models as m
from streams.content import check_characters
from streams.engines.port import Transaction
from streams.errors import NotFoundError

JUDGING: tuple[Role, ...] = (*auth.JUDGING, "admin")


class KeyRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose key, and what it may do."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    role: Role


_request = msgspec.json.Decoder(KeyRequest)


async def list_keys(call: Call) -> Response:
    """All keys; never their secrets."""

    def read(sql: Connection) -> list[dict[str, object]]:
        columns = m.keys.c["key_id", "name", "role", "annotator", "created_at", "revoked_at"]
        return [dict(row) for row in sql.execute(select(*columns).order_by(m.keys.c.created_at)).mappings()]

    return json_answer({"keys": await call.context.query(read)})


async def post_key(call: Call) -> Response:
    """A new key, shown once."""
    asked = await call.read(_request)
    check_characters(asked.name, "name")
    annotator = auth.new_annotator_id() if asked.role in JUDGING else ""
    new = auth.make_key(asked.role, asked.name, annotator=annotator)
    await write_key(call, new)
    return json_answer({"key_id": new.caller.key_id, "key": new.key, "role": asked.role, "annotator": annotator}, 201)


async def write_key(call: Call, new: auth.NewKey) -> None:
    """Durable when it returns."""
    now = call.context.clock()
    await call.context.write(lambda transaction: auth.store_key(transaction.sql, new, now))


async def delete_key(call: Call) -> Response:
    """Takes the key out of force, from this moment on."""
    key_id = call.path("key_id")
    now = call.context.clock()

    def revoke(transaction: Transaction) -> bool:
        return auth.revoke_key(transaction.sql, key_id, now)

    revoked = await call.context.write(revoke)
    call.context.keyring.forget(key_id)
    if not revoked:
        raise NotFoundError(f"no key {key_id[:80]!r} is in force", field="key_id", mend="GET /v1/keys lists them")
    return json_answer({"key_id": key_id, "revoked_at": now})


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/v1/keys",
        answer=list_keys,
        summary="All keys, without their secrets",
        tag="keys",
        answers={200: {"keys": [{"key_id": "4f1c", "name": "chat service", "role": "producer", "revoked_at": 0}]}},
    ),
    Endpoint(
        method="POST",
        path="/v1/keys",
        answer=post_key,
        summary="Make a key; it is shown once",
        tag="keys",
        body=KeyRequest,
        example={"name": "chat service", "role": "producer"},
        answers={201: {"key_id": "4f1c", "key": "plk_4f1c_..."}},
    ),
    Endpoint(
        method="DELETE",
        path="/v1/keys/{key_id}",
        answer=delete_key,
        summary="Revoke a key",
        tag="keys",
        answers={200: {"key_id": "4f1c", "revoked_at": 1790000000000}},
    ),
)
