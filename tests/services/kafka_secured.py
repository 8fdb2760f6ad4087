"""The real Apache Kafka behind TLS and passwords: a second listener with a certificate made for the test."""

from __future__ import annotations

import subprocess
from pathlib import Path

from services.spawned import free_port
from tests.services.kafka import Broker

USER, PASSWORD = "prefloop", "a-password-of-this-test"


class SecuredBroker:
    """A broker with a SASL_SSL listener that takes PLAIN and SCRAM-SHA-512; `ca_file` is what its clients trust."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.servers, self.ca_file = f"127.0.0.1:{free_port()}", folder / "ca.pem"
        self.broker = Broker(
            folder / "broker",
            listeners=[f"SASL_SSL://{self.servers}"],
            more=_logins(_make_keys(folder, self.ca_file)),
            users=("--add-scram", f"SCRAM-SHA-512=[name={USER},password={PASSWORD}]"),
        )


def _make_keys(folder: Path, ca_file: Path) -> Path:
    keys = folder / "keys.p12"
    store = ["-alias", "kafka", "-keystore", str(keys), "-storetype", "PKCS12", "-storepass", PASSWORD]
    name = ["-dname", "CN=127.0.0.1", "-ext", "SAN=IP:127.0.0.1", "-ext", "BC=ca:true", "-validity", "2"]
    _keytool("-genkeypair", "-keyalg", "RSA", *store, *name)
    ca_file.write_bytes(_keytool("-exportcert", "-rfc", *store))
    return keys


def _keytool(*arguments: str) -> bytes:
    return subprocess.run(["keytool", *arguments], check=True, capture_output=True).stdout


def _logins(keys: Path) -> str:
    modules = "org.apache.kafka.common.security"
    return f"""
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512
listener.name.sasl_ssl.plain.sasl.jaas.config={modules}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config={modules}.scram.ScramLoginModule required;
ssl.keystore.location={keys}
ssl.keystore.type=PKCS12
ssl.keystore.password={PASSWORD}
"""
