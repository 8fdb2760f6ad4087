"""What a process is told from outside: one frozen object, read once, from PREFLOOP_* variables and options."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from streams.errors import SettingsError

KEY = re.compile("plk_[^_]+_.+")
CLUSTER = ("kafka", "database_url", "redis_url")  # all of them make a cluster, none one machine


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Every setting; the variable is PREFLOOP_ and the name in capitals."""

    data: Path = Path("prefloop-data")  # folder of the log, the views and the artifacts
    host: str = "127.0.0.1"
    port: int = 8080  # HTTP API and annotator page
    dashboard_port: int = 8501
    public_url: str = ""  # how annotators reach the page, for their personal links; "" is http://host:port
    admin_key: str = field(default="", repr=False)  # the first admin key; "" makes a random one and prints it once
    trainer_key: str = field(default="", repr=False)  # a trainer's, made by `prefloop setup-cluster`; "" makes none
    threads: int = 2  # of torch, in the trainer
    log_level: str = "info"
    requests_per_minute: int = 0  # that one key may send; 0 is no limit

    # A cluster; on one machine all of these stay empty.
    kafka: str = ""  # brokers: host:port, more of them with commas
    database_url: str = field(default="", repr=False)  # postgresql+psycopg://user:password@host/database
    redis_url: str = field(default="", repr=False)  # redis://[:password@]host:port/0
    kafka_prefix: str = "prefloop."  # before the name of every topic and group
    kafka_partitions: int = 8  # of each topic; chosen once
    kafka_replication: int = 1  # copies of each partition: 3 from three brokers on
    kafka_protocol: str = "PLAINTEXT"  # or SSL, SASL_PLAINTEXT, SASL_SSL
    kafka_mechanism: str = ""  # of SASL: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512
    kafka_username: str = ""
    kafka_password: str = field(default="", repr=False)
    kafka_ca_file: str = ""  # PEM file of the authority that signed the brokers' certificates

    @property
    def url(self) -> str:
        """Where this machine reaches the API."""
        return f"http://{self._reached}:{self.port}"

    @property
    def dashboard_url(self) -> str:
        """Where this machine reaches the dashboard."""
        return f"http://{self._reached}:{self.dashboard_port}"

    @property
    def _reached(self) -> str:
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host
        return f"[{host}]" if ":" in host else host

    @property
    def artifacts(self) -> Path:
        """Datasets, runs and models."""
        return self.data / "artifacts"

    @property
    def is_cluster(self) -> bool:
        """Whether log, views and queue live in Kafka, PostgreSQL and Redis."""
        return bool(self.kafka)


def read_settings(environment: Mapping[str, str] | None = None, **options: Any) -> Settings:
    """The settings of this process: options win over variables, variables over defaults."""
    environment = os.environ if environment is None else environment
    values: dict[str, Any] = {}
    for setting in fields(Settings):
        variable = f"PREFLOOP_{setting.name.upper()}"
        given = options.get(setting.name)
        if given is None:
            given = environment.get(variable) or None  # an empty one is none: HOST= must not mean every address
        if given is not None:
            values[setting.name] = _parse(variable, str(given), type(setting.default))
    settings = Settings(**values)
    return _checked(replace(settings, public_url=settings.public_url.rstrip("/")))


def require_cluster(settings: Settings) -> None:
    """Raises SettingsError where these are the settings of one machine."""
    if not settings.is_cluster:
        raise SettingsError(f"this command works on a cluster: set {', '.join(map(_variable, CLUSTER))}")


def _parse(variable: str, value: str, kind: type) -> Any:
    if kind is int:
        if not value.isdigit():
            raise SettingsError(f"{variable} is {value!r}: a whole number is wanted")
        return int(value)
    return Path(value) if issubclass(kind, Path) else value


def _checked(settings: Settings) -> Settings:
    for name in ("port", "dashboard_port"):
        _check_range(settings, name, 65_535)
    for name, most in (("kafka_partitions", 1_024), ("kafka_replication", 9)):
        _check_range(settings, name, most)
    levels = ("debug", "info", "warning", "error")
    if settings.log_level not in levels:
        raise SettingsError(f"PREFLOOP_LOG_LEVEL is {settings.log_level!r}: one of {', '.join(levels)} is allowed")
    if settings.public_url and not settings.public_url.startswith(("https://", "http://")):
        raise SettingsError(f"PREFLOOP_PUBLIC_URL is {settings.public_url!r}: it must begin with https:// or http://")
    for name in ("admin_key", "trainer_key"):
        if (key := getattr(settings, name)) and not KEY.fullmatch(key):  # a secret: not told
            raise SettingsError(f"{_variable(name)} is no key: it must have the form plk_<id>_<secret>, or be empty")
    _check_cluster(settings)
    return settings


def _check_range(settings: Settings, name: str, most: int) -> None:
    if not 0 < (value := getattr(settings, name)) <= most:
        raise SettingsError(f"{_variable(name)} is {value}: 1 to {most} is allowed")


def _check_cluster(settings: Settings) -> None:
    missing = [_variable(name) for name in CLUSTER if not getattr(settings, name)]
    if 0 < len(missing) < len(CLUSTER):
        raise SettingsError(f"a cluster needs {' and '.join(missing)} too: set all three, or none for one machine")
    if settings.database_url and not settings.database_url.startswith("postgresql+psycopg://"):
        raise SettingsError(f"{_variable('database_url')} must begin with postgresql+psycopg://")
    if settings.redis_url and not settings.redis_url.startswith(("redis://", "rediss://", "unix://")):
        raise SettingsError(f"{_variable('redis_url')} must begin with redis://, rediss:// or unix://")


def _variable(name: str) -> str:
    return f"PREFLOOP_{name.upper()}"
