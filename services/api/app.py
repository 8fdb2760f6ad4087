"""The HTTP app: composed from a running service."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
from collections.abc import AsyncIterator, Callable, Sequence

import anyio.to_thread
import structlog
from fastapi import FastAPI
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from services.api.assets import mount
from services.api.context import Context
from services.api.errors import http_answer
from services.api.middleware import Observed
from services.api.openapi import document
from services.api.routes import ENDPOINTS
from services.api.routes.tasks import end_leases
from services.api.routing import App, register
from services.bootstrap import Service
from services.queue.rebuild import restore
from streams.engines.port import Record
from streams.errors import UnavailableError
from streams.events import Campaign

try:
    VERSION = importlib.metadata.version("prefloop")
except importlib.metadata.PackageNotFoundError:  # run from the source folder
    VERSION = "0+source"
TICK_SECONDS = 1.0
_log = structlog.get_logger("api")


def create_app(service: Service) -> App:
    """The app over that service; it answers at once and grants tasks when it knows all that the log says."""
    context = Context(service)
    app = App(title="prefloop", version=VERSION, lifespan=_lifespan(context), docs_url=None, redoc_url=None)
    app.state.context = context
    for endpoint in ENDPOINTS:
        register(app, context, endpoint)
    app.openapi = document(ENDPOINTS, VERSION)  # type: ignore[method-assign]
    app.add_exception_handler(HTTPException, _refused)
    mount(app, app.openapi)
    app.add_middleware(Observed, metrics=context.metrics)
    return app


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return http_answer(error.status_code, request.url.path, dict(error.headers or {}))


def _lifespan(context: Context) -> Callable[[FastAPI], contextlib.AbstractAsyncContextManager[None]]:
    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        _listen(context)
        context.campaigns.load(context.service.store)
        await anyio.to_thread.run_sync(context.runs.load, context.service.store)
        await _ensure_default_campaign(context)
        alone = (_recover, _tick)  # in a cluster the materializer feeds the queue, and the coordinator ends leases
        work = alone if context.service.is_alone else (_count,)
        tasks = [asyncio.create_task(task(context)) for task in work]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    return lifespan


def _listen(context: Context) -> None:
    applies = [context.campaigns.apply, context.runs.apply]
    if context.service.is_alone:
        applies += [context.queue.apply, lambda records: context.live.add(records, context.clock())]

    def listener(records: Sequence[Record]) -> None:
        if not records:
            return
        try:
            for apply in applies:
                apply(records)
        except Exception as error:  # the writer must go on: what it wrote is durable and right
            context.live.error(context.clock(), "listener", str(error))
            _log.error("a committed record could not be taken over", exc_info=True)

    context.live.load(context.service.store.totals())
    context.service.engine.add_listener(listener)


async def _ensure_default_campaign(context: Context) -> None:
    if context.campaigns.version_of("default"):
        return
    now = context.clock()
    first = Campaign(id="campaign:default:1", name="default", version=1, occurred_at=now, ingested_at=now)
    await context.write(lambda transaction: transaction.append(first))


async def _recover(context: Context) -> None:
    """The queue from the views, once these have reached the end of the log."""
    service = context.service
    try:
        await anyio.to_thread.run_sync(service.engine.drain, abandon_on_cancel=True)
        await anyio.to_thread.run_sync(restore, context.queue, service.database)
    except Exception as error:
        await context.note("recovery", str(error))
        _log.error("recovery failed: no task will be granted", exc_info=True)


async def _count(context: Context) -> None:
    """What all processes of a cluster have appended, as the materializer counts it."""
    while True:
        await asyncio.sleep(TICK_SECONDS)
        try:
            totals = await anyio.to_thread.run_sync(context.service.store.totals)
            context.live.reach(totals, context.clock())
        except Exception as error:
            await context.note("counts", str(error))


async def _tick(context: Context) -> None:
    """Ends leases that nobody asks about."""
    while True:
        await asyncio.sleep(TICK_SECONDS)
        if not context.queue.ready:
            continue
        try:
            await end_leases(context)
        except Exception as error:
            await context.note("leases", str(error))
            away = isinstance(error, OperationalError | UnavailableError)
            _log.error("leases could not be ended", error=str(error), exc_info=not away)
