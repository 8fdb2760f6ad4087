"""The files of a deployment fit one another and the code."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
METRIC = re.compile(r"\bprefloop_[a-z_]+")
SUFFIXES = ("_total", "_bucket", "_sum", "_count")


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    return loaded


def example() -> dict[str, str]:
    lines = (ROOT / ".env.example").read_text("utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_images_are_pinned() -> None:
    images = {name: service["image"] for name, service in compose()["services"].items()}
    assert (images["kafka"], images["postgres"], images["redis"]) == ("apache/kafka:4.1.1", "postgres:17", "redis:8")
    assert all(re.search(r":[\w${]", image) and not image.endswith(":latest") for image in images.values())


def test_every_service_has_limits_and_a_restart_policy_and_those_that_stay_a_health_check() -> None:
    for name, service in compose()["services"].items():
        if name in ("setup", "demo"):
            continue
        assert service["restart"] == "unless-stopped", name
        assert service["deploy"]["resources"]["limits"]["memory"], name
        assert "healthcheck" in service or service.get("profiles") == ["monitoring"], name


def test_what_is_ours_runs_without_rights() -> None:
    ours = [s for s in compose()["services"].values() if s["image"].startswith("prefloop-")]
    assert len(ours) >= 7
    for service in ours:
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
    assert (ROOT / "Dockerfile").read_text("utf-8").count("USER prefloop") == 2


def test_nothing_in_the_example_is_a_usable_secret_and_all_that_is_required_is_named() -> None:
    required = set(re.findall(r"\$\{(\w+):\?", (ROOT / "docker-compose.yml").read_text("utf-8")))
    assert required
    assert {name: example()[name] for name in required} == dict.fromkeys(required, "")


def test_whatever_the_example_names_is_read() -> None:
    read = set(re.findall(r"\$\{(\w+)", (ROOT / "docker-compose.yml").read_text("utf-8")))
    assert set(example()) <= read


def test_the_level_of_the_logs_reaches_all_that_is_ours_and_has_one() -> None:
    quiet = {"dashboard", "demo"}  # Streamlit's own log; a command for people
    ours = {name: s for name, s in compose()["services"].items() if s["image"].startswith("prefloop-")}
    assert {name for name, s in ours.items() if "PREFLOOP_LOG_LEVEL" not in s["environment"]} == quiet


def test_nothing_listens_beyond_this_machine_unless_it_is_told_to() -> None:
    text = (ROOT / "docker-compose.yml").read_text("utf-8")
    ports = [port for service in compose()["services"].values() for port in service.get("ports", ())]
    assert len(ports) == 4
    assert all("127.0.0.1:" in port for port in ports)
    assert re.findall(r"API_PORTS=(?!127)", text) == []


def test_one_command_makes_secrets_once(tmp_path: Path) -> None:
    (tmp_path / "deploy").mkdir()
    for name in (".env.example", "deploy/make-env"):
        shutil.copy(ROOT / name, tmp_path / name)
    made = subprocess.run([tmp_path / "deploy/make-env"], capture_output=True, text=True, check=True)
    lines = (tmp_path / ".env").read_text("utf-8").splitlines()
    values = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    assert values.keys() == example().keys()
    secrets = [values[name] for name, value in example().items() if value == ""]
    assert len(set(secrets)) == len(secrets)
    assert all(re.fullmatch(r"(plk_[0-9a-f]{12}_)?[0-9a-f]{48}", secret) for secret in secrets)
    assert values["PREFLOOP_ADMIN_KEY"] in made.stdout
    assert (tmp_path / ".env").stat().st_mode & 0o077 == 0
    again = subprocess.run([tmp_path / "deploy/make-env"], capture_output=True, text=True, check=False)
    assert again.returncode == 1
    assert (tmp_path / ".env").read_text("utf-8").splitlines() == lines


def test_every_metric_that_is_watched_is_one_that_the_code_has() -> None:
    code = "".join(path.read_text("utf-8") for path in (ROOT / "services").rglob("*.py"))
    known = set(METRIC.findall(code))
    board = json.loads((ROOT / "deploy/grafana/prefloop.json").read_text("utf-8"))
    asked = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    rules = yaml.safe_load((ROOT / "deploy/alarms.yml").read_text("utf-8"))["groups"][0]["rules"]
    asked += [rule["expr"] for rule in rules]
    names = {name for expression in asked for name in METRIC.findall(expression)}
    assert len(names) > 8
    for name in names:
        bases = {name, *(name.removesuffix(suffix) for suffix in SUFFIXES)}
        assert bases & known, name


@pytest.mark.parametrize("file", ["deploy/prometheus.yml", "deploy/alarms.yml", "deploy/compose.nvidia.yml"])
def test_what_the_compose_file_mounts_is_there_and_can_be_read(file: str) -> None:
    assert yaml.safe_load((ROOT / file).read_text("utf-8"))
    mounted = re.findall(r"- \./(deploy/[\w./]+):", (ROOT / "docker-compose.yml").read_text("utf-8"))
    assert len(mounted) == 5
    assert all((ROOT / path).is_file() for path in mounted)
