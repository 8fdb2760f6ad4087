"""Engineers: preferences, batches and datasets. What is long is streamed, page by page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Annotated, Any

import anyio.to_thread
import msgspec
from sqlalchemy import Connection, select
from starlette.responses import Response, StreamingResponse

from services.api.context import Call, Context, encode, json_answer
from services.api.routing import Endpoint
from services.coordinator.batches import cut_now
from services.coordinator.doubt import dataset_diff, revisions
from services.coordinator.gather import snapshot
from services.store import models as m
from streams.errors import NotFoundError
from streams.events import Batch, Message, Part, Preference, Text
from streams.quality.consensus import Posterior
from streams.quality.consensus import verdict as verdict_of

PAGE = 200
MOST_PAGE = 1_000


class BatchRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose preferences are to be cut."""

    campaign: Annotated[str, msgspec.Meta(min_length=1, max_length=64)] = "default"


_request = msgspec.json.Decoder(BatchRequest)


def streamed(pages: Iterator[bytes]) -> Response:
    """NDJSON, made in a thread while it is sent."""
    return StreamingResponse(pages, media_type="application/x-ndjson")


# ---------------------------------------------------------------- preferences


async def list_preferences(call: Call) -> Response:
    """The newest revision of each task's preference, in the order they were decided."""
    campaign = call.text("campaign")
    after, limit = call.number("after", -1, 2**62), call.number("limit", 100, MOST_PAGE)
    context = call.context
    if "ndjson" in call.request.headers.get("accept", ""):
        return streamed(_all_preferences(context, campaign, after))
    rows = await context.query(lambda sql: _preferences(sql, campaign, after, limit))
    return json_answer({"preferences": rows, "after": rows[-1]["log_offset"] if rows else after})


def _all_preferences(context: Context, campaign: str, after: int) -> Iterator[bytes]:
    while True:
        with context.service.database.connect() as sql:  # no reader stays open between pages
            rows = _preferences(sql, campaign, after, MOST_PAGE)
        if not rows:
            return
        yield b"".join(encode(row) + b"\n" for row in rows)
        after = rows[-1]["log_offset"]


def _preferences(sql: Connection, campaign: str, after: int, limit: int) -> list[dict[str, Any]]:
    table = m.preferences
    query = select(table).where(table.c.log_offset > after).order_by(table.c.log_offset).limit(limit)
    if campaign:
        query = query.where(table.c.campaign == campaign)
    return [dict(row) for row in sql.execute(query).mappings()]


# ---------------------------------------------------------------- batches


async def list_batches(call: Call) -> Response:
    """The newest first."""

    def read(sql: Connection) -> list[dict[str, Any]]:
        columns = m.batches.c["batch", "campaign", "size", "holdout_size", "reason", "at"]
        return [
            dict(row)
            for row in sql.execute(select(*columns).order_by(m.batches.c.at.desc()).limit(MOST_PAGE)).mappings()
        ]

    return json_answer({"batches": await call.context.query(read)})


async def get_batch(call: Call) -> Response:
    """One batch, with its members, and how many verdicts the refinement turned when it was cut."""
    name = call.path("batch")
    row = await call.context.query(lambda sql: _batch(sql, name))
    batch = msgspec.convert(row["definition"], Batch)
    turned = await anyio.to_thread.run_sync(_turned_by_refinement, call.context, batch)
    return json_answer({**row, "turned_by_refinement": turned})


async def get_diff(call: Call) -> Response:
    """The batch as it was cut beside what it would be now, members that differ alone."""
    name, service = call.path("batch"), call.context.service

    def read() -> dict[str, Any]:
        with snapshot(service.database) as sql:
            row = _batch(sql, name)
            found = dataset_diff(sql, service.store, msgspec.convert(row["definition"], Batch))
        counts = Counter(one.change for one in found)
        return {
            "batch": name,
            "size": row["size"],
            "same": row["size"] - len(found),
            **{change: counts[change] for change in ("turned", "gone", "moved")},
            "members": [{**asdict(one), "change": one.change} for one in found[:MOST_PAGE]],
        }

    return json_answer(await anyio.to_thread.run_sync(read))


async def post_batch(call: Call) -> Response:
    """Cuts a batch of what is ready, now."""
    asked = await call.read(_request)
    batch = await anyio.to_thread.run_sync(cut_now, call.context.service, asked.campaign)
    await call.context.in_view(select(m.batches.c.batch).where(m.batches.c.batch == batch.batch))
    size = {"size": len(batch.members), "holdout_size": len(batch.holdout)}
    return json_answer({"batch": batch.batch, "campaign": batch.campaign, **size, "reason": batch.reason}, 201)


def _batch(sql: Connection, batch: str) -> dict[str, Any]:
    row = sql.execute(select(m.batches).where(m.batches.c.batch == batch)).mappings().first()
    if row is None:
        raise NotFoundError(f"there is no batch {batch[:80]!r}", field="batch", mend="GET /v1/batches lists them")
    runs = sql.execute(select(m.runs.c.run).where(m.runs.c.batch == batch)).scalars().all()
    models = sql.execute(select(m.models.c.model).where(m.models.c.batch == batch)).scalars().all()
    return {**row, "runs": list(runs), "models": list(models)}


# ---------------------------------------------------------------- datasets


async def get_dataset(call: Call) -> Response:
    """A batch as training pairs, one a line: exactly the revisions that were cut."""
    name = call.path("batch")
    row = await call.context.query(lambda sql: _batch(sql, name))
    batch = msgspec.convert(row["definition"], Batch)
    return streamed(_dataset(call.context, batch))


def _dataset(context: Context, batch: Batch) -> Iterator[bytes]:
    refined = refined_of(batch)
    for split, members in (("train", batch.members), ("holdout", batch.holdout)):
        older = _older_revisions(context, members)
        for page in _pages(members):
            yield b"".join(encode(pair) + b"\n" for pair in _pairs(context, split, page, older, refined))


def refined_of(batch: Batch) -> dict[str, Posterior]:
    """Task -> the posterior that the batch holds instead of the preference's."""
    tasks = [task for task, _ in (*batch.members, *batch.holdout)]
    return {task: belief for task, belief in zip(tasks, batch.refined, strict=False) if belief is not None}


def _turned_by_refinement(context: Context, batch: Batch) -> int:
    """Members whose verdict was another one before, as their preference had it at the cut."""
    refined = refined_of(batch)
    newest = _fetch(context, m.preferences, m.preferences.c.task, list(refined))
    members = [(task, revision) for task, revision in (*batch.members, *batch.holdout) if task in refined]
    older = revisions(context.service.store, _revised(newest, members))
    decided = {task: row["verdict"] for task, row in newest.items()}
    decided |= {task: preference.verdict for (task, _), preference in older.items()}
    return sum(verdict_of(belief)[0] != decided[task] for task, belief in refined.items())


def _pages(members: Sequence[tuple[str, int]]) -> Iterator[Sequence[tuple[str, int]]]:
    for start in range(0, len(members), PAGE):
        yield members[start : start + PAGE]


def _older_revisions(context: Context, members: Sequence[tuple[str, int]]) -> dict[str, Preference]:
    """Members whose preference was revised after the cut: the view holds the newest alone, the log every one."""
    revised: set[tuple[str, int]] = set()
    for page in _pages(members):
        revised |= _revised(_fetch(context, m.preferences, m.preferences.c.task, [task for task, _ in page]), page)
    found = revisions(context.service.store, revised)
    return {task: preference for (task, _), preference in found.items()}


def _revised(newest: Rows, members: Sequence[tuple[str, int]]) -> set[tuple[str, int]]:
    """The members whose preference is at another revision by now."""
    return {(task, revision) for task, revision in members if newest[task]["revision"] != revision}


def _pairs(
    context: Context,
    split: str,
    members: Sequence[tuple[str, int]],
    older: dict[str, Preference],
    refined: dict[str, Posterior],
) -> Iterator[dict[str, Any]]:
    names = [task for task, _ in members]
    preferences = _fetch(context, m.preferences, m.preferences.c.task, names)
    tasks = _fetch(context, m.tasks, m.tasks.c.task, names)
    for name in names:
        if name in older:
            preferences[name] = msgspec.to_builtins(older[name])
    judged = [judgment for preference in preferences.values() for judgment in preference.get("judgments", ())]
    judgments = _fetch(context, m.judgments, m.judgments.c.judgment, judged)
    sides = [tasks[name][side]["output"] for name in names for side in ("a", "b")]
    outputs = _fetch(context, m.outputs, m.outputs.c.output, sides)
    for name in names:
        pair = _pair(context, split, preferences[name], refined.get(name), tasks[name], judgments, outputs)
        if pair is not None:
            yield pair


Rows = dict[str, dict[str, Any]]


def _fetch(context: Context, table: Any, column: Any, keys: Sequence[str]) -> Rows:
    rows: Rows = {}
    with context.service.database.connect() as sql:
        for start in range(0, len(keys), 500):
            for row in sql.execute(select(table).where(column.in_(keys[start : start + 500]))).mappings():
                rows[row[column.name]] = dict(row)
    return rows


def _pair(
    context: Context,
    split: str,
    preference: dict[str, Any],
    refined: Posterior | None,
    task: dict[str, Any],
    judgments: Rows,
    outputs: Rows,
) -> dict[str, Any] | None:
    """One line; None where the words were erased since, or where there is nothing to prefer."""
    words = _words(context, task)
    if preference.get("verdict") is None or words is None or task["gold"] is not None:
        return None
    prompt, a, b = words
    online = preference["p_a"], preference["p_b"], preference["p_tie"]
    p_a, p_b, p_tie = refined or online
    verdict = verdict_of(refined)[0] if refined else preference["verdict"]
    flipped = verdict == "b"
    probability = {"a": p_a, "b": p_b, "tie": p_a + p_tie / 2}[verdict]
    return {
        "split": split,
        "task": task["task"],
        "revision": preference["revision"],
        "campaign": task["campaign"],
        "prompt": prompt,
        "chosen": [{"role": "assistant", "content": b if flipped else a}],
        "rejected": [{"role": "assistant", "content": a if flipped else b}],
        "probability": probability,
        "p_a": p_a,
        "p_b": p_b,
        "p_tie": p_tie,
        "verdict": verdict,
        "online": list(online),
        "margin": abs(p_a - p_b),
        "tags": task["tags"],
        "prompt_digest": task["prompt_digest"],
        "judgments": list(preference.get("judgments", ())),
        "annotators": sorted({judgments[j]["annotator"] for j in preference.get("judgments", ()) if j in judgments}),
        "outputs": [_source(task[side], outputs) for side in ("a", "b")],
    }


def _source(candidate: dict[str, Any], outputs: Rows) -> dict[str, Any]:
    response = candidate["response"]
    return {
        "output": candidate["output"],
        "offset": outputs.get(candidate["output"], {}).get("log_offset"),
        "position": candidate["position"],
        "model": response.get("model", ""),
        "model_version": response.get("model_version", ""),
    }


def _words(context: Context, task: dict[str, Any]) -> tuple[list[dict[str, str]], str, str] | None:
    """(prompt, response a, response b), or None where they were erased."""
    a, b = (context.service.store.newest("texts", task[side]["output"]) for side in ("a", "b"))
    if not isinstance(a, Text) or not isinstance(b, Text):
        return None
    prompt = [_turn(message) for message in a.prompt]
    return prompt, _joined(a.responses[task["a"]["position"]]), _joined(b.responses[task["b"]["position"]])


def _turn(message: Message) -> dict[str, str]:
    return {"role": message.role, "content": _joined(message.content)}


def _joined(parts: Sequence[Part]) -> str:
    return "\n\n".join(part.text for part in parts)


BATCH = {"batch": "9a", "campaign": "default", "size": 256, "holdout_size": 28, "reason": "size", "at": 1790000000000}
PREFERENCE = {"task": "5f", "revision": 1, "verdict": "a", "p_a": 0.93, "p_b": 0.05, "p_tie": 0.02, "log_offset": 17}
PAIR = {
    "split": "train",
    "task": "5f",
    "prompt": [{"role": "user", "content": "What is a mutex?"}],
    "chosen": [{"role": "assistant", "content": "A lock."}],
    "rejected": [{"role": "assistant", "content": "A fish."}],
    "probability": 0.93,
    "online": [0.91, 0.06, 0.03],
}

ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/v1/preferences",
        answer=list_preferences,
        summary="What people prefer; all of it as NDJSON with Accept: application/x-ndjson",
        tag="data",
        query={"campaign": "one campaign alone", "after": "`after` of the page before", "limit": "at most 1000"},
        answers={200: {"preferences": [PREFERENCE], "after": 17}},
        streams=True,
    ),
    Endpoint(
        method="GET",
        path="/v1/batches",
        answer=list_batches,
        summary="Batches, the newest first",
        tag="data",
        answers={200: {"batches": [BATCH]}},
    ),
    Endpoint(
        method="POST",
        path="/v1/batches",
        answer=post_batch,
        summary="Cut a batch now",
        tag="data",
        body=BatchRequest,
        example={"campaign": "default"},
        answers={201: BATCH},
    ),
    Endpoint(
        method="GET",
        path="/v1/batches/{batch}",
        answer=get_batch,
        summary="One batch, with its members",
        tag="data",
        answers={200: {**BATCH, "runs": [], "models": [], "turned_by_refinement": 3}},
    ),
    Endpoint(
        method="GET",
        path="/v1/batches/{batch}/diff",
        answer=get_diff,
        summary="A batch as it was cut beside what it would be now",
        tag="data",
        answers={200: {"batch": "9a", "size": 256, "same": 251, "turned": 2, "gone": 3, "moved": 0, "members": []}},
    ),
    Endpoint(
        method="GET",
        path="/v1/datasets/{batch}",
        answer=get_dataset,
        summary="A batch as training pairs, NDJSON, streamed",
        tag="data",
        answers={200: PAIR},
        media_type="application/x-ndjson",
    ),
)
