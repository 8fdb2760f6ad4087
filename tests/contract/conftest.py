"""The desk that the contract of the queues is tested at."""

from __future__ import annotations

import pytest

from tests.contract.queues import KINDS, Desk, fresh_queue


@pytest.fixture(params=KINDS)
def desk(request: pytest.FixtureRequest) -> Desk:
    return Desk(fresh_queue(request.param, request))
