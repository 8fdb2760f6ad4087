"""A limit of requests a minute: in memory and in Redis the same."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.api.rates import MINUTE_MS, MemoryRates, Rates
from services.api.redis_rates import RedisRates
from services.queue.redis_store import connect
from tests.services.redis import Redis

NOW = 1_790_000_000_000
KINDS = ("memory", "redis")


def rates_of(kind: str, request: pytest.FixtureRequest, per_minute: int) -> Rates:
    if kind == "memory":
        return MemoryRates(per_minute)
    server: Redis = request.getfixturevalue("redis_server")
    client = connect(server.url)
    client.flushall()
    return RedisRates(client, per_minute)


@pytest.mark.parametrize("kind", KINDS)
def test_a_minutes_worth_at_once_then_one_at_a_time(kind: str, request: pytest.FixtureRequest) -> None:
    rates = rates_of(kind, request, 60)
    assert [rates.take("ada", NOW) for _ in range(60)] == [0] * 60
    assert rates.take("ada", NOW) == 1000
    assert rates.take("bob", NOW) == 0
    assert rates.take("ada", NOW + 999) == 1
    assert rates.take("ada", NOW + 1000) == 0
    assert rates.take("ada", NOW + 1000) == 1000
    assert rates.take("ada", NOW + 1000 + MINUTE_MS) == 0


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.integers(0, 20_000), min_size=1, max_size=60), per_minute=st.integers(1, 30))
def test_no_minute_sees_more_than_two_allowances_and_who_waits_may_pass(
    kind: str, request: pytest.FixtureRequest, steps: list[int], per_minute: int
) -> None:
    rates, now, passed = rates_of(kind, request, per_minute), NOW, list[int]()
    for step in steps:
        now += step
        wait = rates.take("ada", now)
        if wait:
            now += wait
            assert rates.take("ada", now) == 0
        passed.append(now)
    for start in passed:
        assert sum(start <= at < start + MINUTE_MS for at in passed) <= 2 * per_minute


def test_a_lost_redis_limits_nobody() -> None:
    rates = RedisRates(connect("redis://127.0.0.1:1/0"), 1)
    assert [rates.take("ada", NOW) for _ in range(3)] == [0, 0, 0]
