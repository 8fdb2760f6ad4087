"""A whole cluster on this machine: Kafka, PostgreSQL and Redis, and processes of prefloop over them."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import fields, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console

from services.cluster.setup import setup_cluster
from services.settings import Settings
from services.spawned import Spawned, free_port
from tests.services import kafka, postgres, redis


class Cluster:
    """The servers run inside the block, set up; its folder must be one that the user postgres may enter."""

    def __init__(self, folder: Path, *, kafka_options: str = "", durable: bool = False, **settings: Any) -> None:
        """Raises RuntimeError for a server that is not on this machine. `durable`: PostgreSQL calls fsync."""
        if reason := kafka.absent() or postgres.absent() or redis.absent():
            raise RuntimeError(reason)
        self.folder = folder
        self.kafka = kafka.Broker(folder / "kafka", more=kafka_options)
        self.postgres = postgres.Postgres(folder / "postgres", durable=durable)
        self.redis = redis.Redis(folder / "redis")
        self._rest = settings
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with self._stack:
            for server in (self.kafka, self.postgres, self.redis):
                server.start()
                self._stack.callback(server.stop)
            self.settings = Settings(
                kafka=self.kafka.servers,
                database_url=self.postgres.create_database(),
                redis_url=self.redis.url,
                data=self.folder / "data",
                **self._rest,
            )
            setup_cluster(self.settings, Console(quiet=True))
            self._stack = self._stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def process(self, name: str, patience_s: float = 120.0) -> Spawned:
        """`prefloop NAME` on a free port, not started yet; a number behind the name tells replicas apart."""
        settings = replace(self.settings, port=free_port())
        return Spawned(
            name.split()[:1],
            settings.admin_key,
            port=settings.port,
            log=self.folder / f"{name.replace(' ', '-')}.log",
            environment=environment_of(settings),
            patience_s=patience_s,
        )


def environment_of(settings: Settings) -> dict[str, str]:
    """The same settings for a process of its own."""
    values = {setting.name: str(getattr(settings, setting.name)) for setting in fields(settings)}
    return {f"PREFLOOP_{name.upper()}": value for name, value in values.items() if value}
