"""What the processes of a cluster see of one another."""

from __future__ import annotations

from services.api.live import ERRORS_KEPT
from services.api.redis_live import RedisLive
from services.queue.redis_store import connect

NOW = 1_790_000_000_000


def test_all_replicas_know_who_is_here(redis_url: str) -> None:
    one, other = RedisLive(connect(redis_url), NOW), RedisLive(connect(redis_url), NOW)
    one.seen("ada", NOW)
    other.seen("bob", NOW + 60_000)
    other.seen("ada", NOW + 1)
    assert one.online(NOW + 60_000) == other.online(NOW + 60_000) == 2
    assert one.online(NOW + 120_001) == other.online(NOW + 120_001) == 1


def test_an_error_is_seen_everywhere_and_one_that_repeats_hides_no_other(redis_url: str) -> None:
    one, other = RedisLive(connect(redis_url), NOW), RedisLive(connect(redis_url), NOW)
    for second in range(5):
        one.error(NOW + second, "views", "the same")
    other.error(NOW + 9, "stages", "another")
    assert [(told["at"], told["message"]) for told in other.newest_errors()] == [
        (NOW + 4, "the same"),
        (NOW + 9, "another"),
    ]
    assert one.errors_by_place() == {"views": 5}
    for number in range(2 * ERRORS_KEPT):
        one.error(NOW, "views", f"number {number}")
    assert len(other.newest_errors()) == ERRORS_KEPT


def test_without_redis_every_process_knows_its_own() -> None:
    live = RedisLive(connect("redis://127.0.0.1:1/0"), NOW)
    live.seen("ada", NOW)
    live.error(NOW, "views", "why")
    assert live.online(NOW) == 1
    assert [told["message"] for told in live.newest_errors()] == ["why"]
