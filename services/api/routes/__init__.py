"""The endpoints, a file a subject."""

from __future__ import annotations

from services.api.routes import (
    analysis,
    annotators,
    appeals,
    attributes,
    calibration,
    campaigns,
    evidence,
    exports,
    gold,
    judgments,
    keys,
    live,
    models,
    outputs,
    quality,
    quarantine,
    runs,
    scores,
    tasks,
)
from services.api.routing import Endpoint

SUBJECTS = (
    outputs,
    tasks,
    judgments,
    campaigns,
    annotators,
    appeals,
    evidence,
    attributes,
    quarantine,
    gold,
    calibration,
    quality,
    analysis,
    exports,
    runs,
    scores,
    models,
    live,
    keys,
)
ENDPOINTS: tuple[Endpoint, ...] = tuple(endpoint for subject in SUBJECTS for endpoint in subject.ENDPOINTS)
