"""`prefloop setup-cluster`: everything that a cluster needs before its processes start. Again it changes nothing."""

from __future__ import annotations

from rich.console import Console
from sqlalchemy import Engine, select

from services.api.auth import make_key, parse_key, store_key
from services.api.roles import Role
from services.bootstrap import now_ms
from services.cluster.brokers import connection_of, layout_of
from services.settings import Settings, require_cluster
from services.store import models as m
from services.store.database import open_postgres, outages, transaction
from services.store.postgres_schema import migrate, require_current
from streams.engines.kafka_topics import create_topics


def setup_cluster(settings: Settings, console: Console) -> None:
    """Schema, topics and first keys. Raises SettingsError for a wrong number of partitions, UnavailableError in an
    outage."""
    require_cluster(settings)
    database = open_postgres(settings.database_url)
    try:
        console.print(f"PostgreSQL  schema {migrate(database)}")
        created = create_topics(connection_of(settings), layout_of(settings), replication=settings.kafka_replication)
        console.print(f"Kafka       {len(created)} topics created, {settings.kafka_partitions} partitions each")
        for role, name, key in _wanted(settings, database):
            told = _store(database, role, name, key)
            console.print(f"{name:<12}{told}", soft_wrap=True, highlight=False)
    finally:
        database.dispose()


def recover_admin(settings: Settings) -> str:
    """A new admin's key, stored and in force at once, for who lost the old one. Raises UnavailableError."""
    database = open_postgres(settings.database_url)
    try:
        require_current(database)
        new = make_key("admin", "recovered admin")
        with outages(), database.connect() as sql, transaction(sql):
            store_key(sql, new, now_ms())
    finally:
        database.dispose()
    return new.key


def _wanted(settings: Settings, database: Engine) -> list[tuple[Role, str, str]]:
    """Keys that are told from outside, and an admin's in any case."""
    with database.connect() as sql:
        query = select(m.keys.c.key_id).where(m.keys.c.role == "admin", m.keys.c.revoked_at == 0)
        has_admin = sql.execute(query).first() is not None
    wanted: list[tuple[Role, str, str]] = []
    if settings.admin_key or not has_admin:
        wanted.append(("admin", "Admin key", settings.admin_key))
    if settings.trainer_key:
        wanted.append(("engineer", "Trainer key", settings.trainer_key))
    return wanted


def _store(database: Engine, role: Role, name: str, key: str) -> str:
    """Stores the key if it is not there; what is to be said of it. A random one is shown, once."""
    with outages(), database.connect() as sql, transaction(sql):
        if key and sql.execute(select(m.keys.c.key_id).where(m.keys.c.key_id == parse_key(key)[0])).first():
            return "is there"
        new = make_key(role, name.lower(), key=key)
        store_key(sql, new, now_ms())
    return "stored" if key else f"{new.key}  (shown this once, keep it)"
