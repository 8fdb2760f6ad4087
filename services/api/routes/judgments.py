"""Judgments: checked against the queue, durable before they are acknowledged."""

from __future__ import annotations

import msgspec
from starlette.responses import Response

from services.api.auth import Caller
from services.api.context import Call, Context, json_answer
from services.api.routes.tasks import worker_of
from services.api.routing import Endpoint
from services.queue.port import Claim
from streams.admission import RawJudgment, Shown, judgment_hash, stamp_judgment
from streams.engines.port import Admission, Transaction
from streams.errors import ConflictError
from streams.events import Judgment, Role, Text

THANKS = "Thank you, it is in."
LATE = (
    "Thank you. It came after the time for this task was over and others have filled its place, so it is kept but does"
    " not count towards the result. Nothing is wrong with your work."
)
_raw = msgspec.json.Decoder(RawJudgment)


async def post_judgment(call: Call) -> Response:
    """One person's comparison; undo is the next revision."""
    raw = await call.read(_raw)
    worker, context = worker_of(call.caller), call.context
    now = context.clock()
    claim = await context.ask(lambda: context.queue.claim(raw.task, worker.annotator, raw.revision, now))
    admission: Admission | None = None
    try:
        judgment, reason = _stamped(context, claim, raw, now, call.caller)
        content_hash = judgment_hash(raw)
        admission = await context.write(lambda tx: append_judgment(tx, judgment, reason, content_hash))
    finally:
        await context.ask(lambda: context.queue.settle_claim(claim, admission))
    if admission == "other":
        raise ConflictError(
            f"revision {raw.revision} of this judgment was already sent and says something else; the first is kept",
            field="revision",
            mend=f"send revision {raw.revision + 1} to change it while the lease lasts",
        )
    answer = {
        "judgment": judgment.judgment,
        "revision": raw.revision,
        "counted": not claim.late,
        "message": LATE if claim.late else THANKS,
    }
    return json_answer(answer, 201 if admission == "new" else 200)


def _stamped(
    context: Context, claim: Claim, raw: RawJudgment, now: int, caller: Caller
) -> tuple[Judgment, Text | None]:
    grant = claim.grant
    role: Role = "model" if caller.role == "model" else grant.role
    shown = Shown(annotator=grant.annotator, role=role, swapped=grant.swapped, late=claim.late)
    campaign = context.campaigns.version(grant.facts.campaign, grant.facts.campaign_version)
    return stamp_judgment(raw, grant.facts, shown, campaign, now, caller.actor)


def append_judgment(transaction: Transaction, judgment: Judgment, reason: Text | None, content_hash: str) -> Admission:
    """Under its id once; the words before what names them."""
    admission = transaction.admit("judgment", judgment.judgment, content_hash)
    if admission == "new":
        if reason is not None:
            transaction.append(reason)
        transaction.append(judgment)
    return admission


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/v1/judgments",
        answer=post_judgment,
        summary="Judge a task, or change the judgment by its next revision while the lease lasts",
        tag="annotators",
        body=RawJudgment,
        example={"task": "5f0c", "choice": "left", "strength": 2, "marks": {"helpful": "left"}, "revision": 1},
        answers={201: {"judgment": "9a1b", "revision": 1, "counted": True, "message": THANKS}},
    ),
)
