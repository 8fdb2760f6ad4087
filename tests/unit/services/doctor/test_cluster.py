"""What the doctor says of a cluster, beside real servers."""

from __future__ import annotations

from services.cluster.brokers import layout_of
from services.doctor import cluster
from services.doctor.command import findings
from services.doctor.findings import Finding
from services.queue.redis_queue import RedisQueue
from services.queue.redis_store import connect
from services.settings import Settings
from services.store.database import open_postgres
from services.store.postgres_schema import migrate
from tests.services.kafka import Broker

NOWHERE = Settings(
    port=1, kafka="127.0.0.1:1", database_url="postgresql+psycopg://x@127.0.0.1:1/x", redis_url="redis://127.0.0.1:1/0"
)


def states(found: list[Finding]) -> dict[str, str]:
    return {finding.what: finding.state for finding in found}


def test_where_nothing_runs_each_part_is_broken_and_says_the_mend() -> None:
    found = list(findings(NOWHERE))
    assert states(found) == {"Kafka": "broken", "PostgreSQL": "broken", "Redis": "broken", "service": "doubtful"}
    assert all(finding.mend for finding in found)
    assert "PREFLOOP_KAFKA" in found[0].mend


def test_topics_that_are_missing_or_differ_are_broken() -> None:
    layout = layout_of(NOWHERE)
    right = {layout.full_name(name): layout.count(name) for name in layout.kafka_topics}
    assert states(list(cluster.topics_findings(layout, right))) == {"Kafka topics": "well"}
    (finding,) = cluster.topics_findings(layout, {**right, "prefloop.by-task": 3})
    assert (finding.state, "prefloop.by-task has 3 partitions, not 8" in finding.says) == ("broken", True)
    del right["prefloop.control"]
    (finding,) = cluster.topics_findings(layout, right)
    assert (finding.says, finding.state) == ("missing: prefloop.control", "broken")


def test_kafka_without_topics_says_how_to_make_them(kafka: Broker) -> None:
    settings = Settings(kafka=kafka.servers, database_url="x", redis_url="x", kafka_prefix="doctor.")
    found = list(cluster.look_at_kafka(settings))
    assert states(found) == {"Kafka": "well", "Kafka topics": "broken"}
    assert "setup-cluster" in found[-1].mend


def test_a_database_without_schema_is_broken_and_one_with_it_is_well(database_url: str) -> None:
    settings = Settings(kafka="x", database_url=database_url, redis_url="redis://127.0.0.1:1/0")
    (first,) = [finding for finding in findings(settings) if finding.what == "PostgreSQL"]
    assert first.state == "broken"
    assert "setup-cluster" in first.says
    database = open_postgres(database_url)
    migrate(database)
    database.dispose()
    found = list(cluster.look_at_postgres(settings))
    assert states(found) == {"PostgreSQL": "well", "PostgreSQL connections": "well"}


def test_redis_is_well_when_it_is_filled_and_broken_when_it_forgets_keys(redis_url: str) -> None:
    settings = Settings(kafka="x", database_url="x", redis_url=redis_url)
    assert states(list(cluster.look_at_redis(settings))) == {"Redis": "well", "queue": "broken"}
    with connect(redis_url) as client:
        RedisQueue(client, None).restore(iter(()), [], {}, {}, {})  # type: ignore[arg-type]
        assert states(list(cluster.look_at_redis(settings))) == {"Redis": "well", "queue": "well"}
        client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            assert states(list(cluster.look_at_redis(settings)))["Redis memory"] == "broken"
        finally:
            client.config_set("maxmemory-policy", "noeviction")
