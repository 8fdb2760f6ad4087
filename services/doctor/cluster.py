"""Looks at what a cluster stands on: Kafka, PostgreSQL, Redis."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Engine, text

from services.cluster.brokers import connection_of, layout_of
from services.doctor.findings import Finding, broken, doubtful, well
from services.queue.redis_store import RedisStore, connect, outages_told
from services.settings import Settings
from services.store.database import open_postgres, outages
from services.store.postgres_schema import newest, require_current
from streams.engines.kafka_topics import Layout

SET_UP = "prefloop setup-cluster"
FULL = 0.8  # of what there is: from here on it is doubtful


def look_at_kafka(settings: Settings) -> Iterator[Finding]:
    """Brokers that answer, and every topic as the layout wants it."""
    from kafka.admin import KafkaAdminClient
    from kafka.errors import KafkaError

    connection = connection_of(settings)
    connection.check()
    try:
        with KafkaAdminClient(**connection.kafka_python()) as admin:
            described = {topic["name"]: topic["partitions"] for topic in admin.describe_topics()}
            brokers = len(admin.describe_cluster()["brokers"])
    except KafkaError as error:
        raise connection.refusal(error) from error
    yield well("Kafka", f"{brokers} broker{'s' if brokers > 1 else ''} at {settings.kafka}")
    yield from topics_findings(layout_of(settings), {name: len(parts) for name, parts in described.items()})
    copies = min((len(part["replica_nodes"]) for parts in described.values() for part in parts), default=brokers)
    if brokers >= 3 > copies:
        says = (
            f"{brokers} brokers, and some topics have {copies} {'copy' if copies == 1 else 'copies'} of each partition"
        )
        yield doubtful("Kafka topics", says, "set PREFLOOP_KAFKA_REPLICATION=3 before setup-cluster, or reassign them")


def topics_findings(layout: Layout, present: dict[str, int]) -> Iterator[Finding]:
    """The topics against the layout; `present` has the partitions by full name."""
    wanted = {layout.full_name(name): layout.count(name) for name in layout.kafka_topics}
    missing = sorted(set(wanted) - set(present))
    other = sorted(name for name in wanted if name in present and present[name] != wanted[name])
    if missing:
        yield broken("Kafka topics", f"missing: {', '.join(missing)}", f"make them: {SET_UP}")
    if other:
        says = ", ".join(f"{name} has {present[name]} partitions, not {wanted[name]}" for name in other)
        yield broken("Kafka topics", says, "set PREFLOOP_KAFKA_PARTITIONS back to what they were made with")
    if not missing and not other:
        yield well("Kafka topics", f"{len(wanted)}, {layout.partitions} partitions each")


def look_at_postgres(settings: Settings) -> Iterator[Finding]:
    """It answers, has this version's schema, and connections to spare."""
    database = open_postgres(settings.database_url)
    try:
        require_current(database)
        yield well("PostgreSQL", f"schema {newest()}")
        yield _connections(database)
    finally:
        database.dispose()


def _connections(database: Engine) -> Finding:
    with outages(), database.connect() as sql:
        most = int(sql.execute(text("SHOW max_connections")).scalar_one())
        used = int(sql.execute(text("SELECT count(*) FROM pg_stat_activity")).scalar_one())
    says = f"{used} of {most} connections in use"
    if used > FULL * most:
        return doubtful(
            "PostgreSQL connections", says, "raise max_connections, or put PgBouncer (session mode) in front"
        )
    return well("PostgreSQL connections", says)


def look_at_redis(settings: Settings) -> Iterator[Finding]:
    """It answers, throws nothing away, and holds the queue."""
    with connect(settings.redis_url) as client:
        store = RedisStore(client, settings.kafka_prefix.rstrip("."))
        with outages_told():
            memory = store.client.info("memory")
        most, used = memory["maxmemory"], memory["used_memory"]
        yield well("Redis", f"{used / 2**20:.0f} MiB used{f' of {most / 2**20:.0f}' if most else ''}")
        if memory["maxmemory_policy"] != "noeviction":
            says = f"under pressure it throws keys away ({memory['maxmemory_policy']}): leases would be forgotten"
            yield broken("Redis memory", says, "set maxmemory-policy noeviction")
        elif most and used > FULL * most:
            yield doubtful("Redis memory", "nearly full: then no task is granted", "raise maxmemory")
        if store.token():
            yield well("queue", "filled")
        else:
            yield broken("queue", "not filled, so no task is granted", "the materializer fills it: is it running?")
