"""How every Kafka client of prefloop reaches the brokers: one frozen object, three dialects."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass, field
from typing import Any

from streams.errors import SettingsError, UnavailableError

PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


@dataclass(frozen=True, kw_only=True)
class KafkaConnection:
    """Brokers and how to be let in. `prefix` goes before every topic and group, so that a cluster can be shared."""

    servers: str  # host:port, more of them with commas
    prefix: str = "prefloop."
    protocol: str = "PLAINTEXT"
    mechanism: str = ""  # of SASL
    username: str = ""
    password: str = field(default="", repr=False)
    ca_file: str = ""  # PEM; "" trusts the system's authorities
    timeout_ms: int = 10_000  # until the first broker must have answered

    def __post_init__(self) -> None:
        if self.protocol not in PROTOCOLS:
            raise SettingsError(
                f"Kafka's security protocol is {self.protocol!r}: one of {', '.join(PROTOCOLS)} is allowed"
            )
        if self.sasl and self.mechanism not in MECHANISMS:
            raise SettingsError(
                f"Kafka's SASL mechanism is {self.mechanism!r}: one of {', '.join(MECHANISMS)} is allowed"
            )
        if self.sasl and not (self.username and self.password):
            raise SettingsError(f"{self.protocol} needs a user name and a password: set both")

    @property
    def sasl(self) -> bool:
        """Whether a user name and a password are sent."""
        return self.protocol.startswith("SASL")

    @property
    def encrypted(self) -> bool:
        """Whether TLS is spoken."""
        return self.protocol.endswith("SSL")

    def check(self) -> None:
        """Raises UnavailableError where no broker listens: sooner and plainer than a client's own timeout."""
        reasons = []
        for server in self.servers.split(","):
            host, _, port = server.rpartition(":")
            try:
                socket.create_connection((host.strip("[]"), int(port)), timeout=self.timeout_ms / 1000).close()
            except (OSError, ValueError) as error:
                reasons.append(f"{server}: {error}")
            else:
                return
        raise UnavailableError(f"Kafka does not answer ({'; '.join(reasons)}): is it running?", retry_after=5)

    def refusal(self, error: Exception) -> UnavailableError:
        """What to tell where a broker listens (`check` passed) and a client gets no answer all the same."""
        return UnavailableError(
            f"Kafka at {self.servers} listens, and does not let us in or answer ({error}): look at"
            " PREFLOOP_KAFKA_PROTOCOL, _MECHANISM, _USERNAME, _PASSWORD and _CA_FILE, and at the broker's own log",
            retry_after=5,
        )

    def kafka_python(self) -> dict[str, Any]:
        """Options of every kafka-python client."""
        return self.aiokafka() | {"bootstrap_timeout_ms": self.timeout_ms}

    def aiokafka(self) -> dict[str, Any]:
        """Options of every aiokafka client."""
        options: dict[str, Any] = {"bootstrap_servers": self.servers.split(","), "security_protocol": self.protocol}
        if self.encrypted:
            options["ssl_context"] = self._tls()
        if self.sasl:
            options |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.username,
                "sasl_plain_password": self.password,
            }
        return options

    def faust(self) -> dict[str, Any]:
        """Options of a Faust app."""
        import faust  # half a second: only who runs an app pays

        options: dict[str, Any] = {"broker": [f"kafka://{server}" for server in self.servers.split(",")]}
        context = self._tls() if self.encrypted else None
        if self.sasl:
            options["broker_credentials"] = faust.SASLCredentials(
                username=self.username, password=self.password, mechanism=self.mechanism, ssl_context=context
            )
        elif context is not None:
            options["broker_credentials"] = faust.SSLCredentials(context)
        return options

    def _tls(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self.ca_file or None)
        except OSError as error:
            raise SettingsError(
                f"Kafka's CA file {self.ca_file!r} cannot be read ({error}): give a PEM file"
            ) from error
