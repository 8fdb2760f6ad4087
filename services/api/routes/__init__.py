"""The endpoints, a file a subject."""

from __future__ import annotations

from services.api.routes import (
    annotators,
    campaigns,
    exports,
    judgments,
    keys,
    live,
    models,
    outputs,
    quality,
    runs,
    tasks,
)
from services.api.routing import Endpoint

ENDPOINTS: tuple[Endpoint, ...] = tuple(
    endpoint
    for subject in (outputs, tasks, judgments, campaigns, annotators, quality, exports, runs, models, live, keys)
    for endpoint in subject.ENDPOINTS
)
