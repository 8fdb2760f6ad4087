"""What a process is told from outside: one frozen object, read once, from PREFLOOP_* variables and options."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from streams.errors import SettingsError


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Every setting; the variable is PREFLOOP_ and the name in capitals."""

    data: Path = Path("prefloop-data")  # folder of the log, the views and the artifacts
    host: str = "127.0.0.1"
    port: int = 8080  # HTTP API and annotator page
    dashboard_port: int = 8501
    public_url: str = ""  # how annotators reach the page, for their personal links; "" is http://host:port
    admin_key: str = ""  # the first admin key; "" makes a random one and prints it once
    threads: int = 2  # of torch, in the trainer
    log_level: str = "info"

    @property
    def url(self) -> str:
        """Where this machine reaches the API."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host
        return f"http://{host}:{self.port}"

    @property
    def artifacts(self) -> Path:
        """Datasets, runs and models."""
        return self.data / "artifacts"


def read_settings(environment: Mapping[str, str] | None = None, **options: Any) -> Settings:
    """The settings of this process: options win over variables, variables over defaults."""
    environment = os.environ if environment is None else environment
    values: dict[str, Any] = {}
    for setting in fields(Settings):
        variable = f"PREFLOOP_{setting.name.upper()}"
        given = options.get(setting.name)
        if given is None:
            given = environment.get(variable)
        if given is not None:
            values[setting.name] = _parse(variable, str(given), type(setting.default))
    return _checked(Settings(**values))


def _parse(variable: str, value: str, kind: type) -> Any:
    if kind is int:
        if not value.isdigit():
            raise SettingsError(f"{variable} is {value!r}: a whole number is wanted")
        return int(value)
    return Path(value) if issubclass(kind, Path) else value


def _checked(settings: Settings) -> Settings:
    for name in ("port", "dashboard_port"):
        if not 0 < getattr(settings, name) < 65_536:
            raise SettingsError(f"PREFLOOP_{name.upper()} is {getattr(settings, name)}: 1 to 65535 is allowed")
    levels = ("debug", "info", "warning", "error")
    if settings.log_level not in levels:
        raise SettingsError(f"PREFLOOP_LOG_LEVEL is {settings.log_level!r}: one of {', '.join(levels)} is allowed")
    return settings
