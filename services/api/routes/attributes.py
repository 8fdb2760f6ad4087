"""What is known of annotators beside their judgments (cohort, vendor, source): for slices, never for the consensus."""

from __future__ import annotations

from typing import Annotated

import msgspec
from sqlalchemy import select
from starlette.responses import Response

from services.api.context import Call, json_answer
from services.api.routing import Endpoint
from services.store import models as m
from services.store.attributes import set_attributes
from streams.content import check_characters
from streams.engines.port import Transaction
from streams.errors import NotFoundError

Short = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class Attributes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All attributes of an annotator; those that are not named are taken away."""

    attributes: Annotated[dict[Short, Short], msgspec.Meta(max_length=16)]


_attributes = msgspec.json.Decoder(Attributes)


async def put_attributes(call: Call) -> Response:
    """Sets them, durable when it answers."""
    annotator, asked = call.path("annotator"), await call.read(_attributes)
    check_characters("".join([*asked.attributes, *asked.attributes.values()]), "attributes")

    def write(transaction: Transaction) -> bool:
        known = (m.annotators, m.standings)
        if not any(transaction.sql.scalar(select(t.c.annotator).where(t.c.annotator == annotator)) for t in known):
            return False
        set_attributes(transaction.sql, annotator, asked.attributes)
        return True

    if not await call.context.write(write):
        message = f"there is no annotator {annotator[:80]!r}"
        raise NotFoundError(message, field="annotator", mend="GET /v1/annotators lists them")
    return json_answer({"annotator": annotator, "attributes": asked.attributes})


EXAMPLE = {"vendor": "north", "cohort": "2026-11"}

ENDPOINTS = (
    Endpoint(
        method="PUT",
        path="/v1/annotators/{annotator}/attributes",
        answer=put_attributes,
        summary="Set an annotator's attributes: vendor, cohort, source, to slice quality by",
        tag="quality",
        body=Attributes,
        example={"attributes": EXAMPLE},
        answers={200: {"annotator": "an_5f", "attributes": EXAMPLE}},
    ),
)
