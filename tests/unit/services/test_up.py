"""What `prefloop up` carries."""

from __future__ import annotations

import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from services.settings import Settings
from services.up import announce, dashboard_child, serve
from streams.errors import SettingsError

ADDRESSES = Settings(host="192.0.2.1", port=9000, dashboard_port=9001, data=Path("folder"))
HEAVY = ("numpy", "pandas", "redis", "kafka", "torch")  # 14 MB and more each: the process may hold 150


def test_the_process_of_one_machine_imports_nothing_heavy() -> None:
    code = f"import sys, services.cli, services.up; print([name for name in {HEAVY!r} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_the_dashboard_listens_where_the_service_does() -> None:
    child = dashboard_child(ADDRESSES)
    assert child.arguments == ["--server", "http://192.0.2.1:9000", "--host", "192.0.2.1", "--port", "9001"]


def test_everything_is_announced_where_it_listens() -> None:
    page = StringIO()
    announce(ADDRESSES, Console(file=page), (), dashboard=True)
    assert "Dashboard       http://192.0.2.1:9001" in page.getvalue()


def test_one_port_for_two_is_told_before_anything_is_opened(tmp_path: Path) -> None:
    both = Settings(data=tmp_path / "folder", port=9000, dashboard_port=9000)
    with pytest.raises(SettingsError, match="--dashboard-port"):
        serve(both, Console(file=StringIO()))
    assert not both.data.exists()


@pytest.mark.parametrize("host", ["no.such.host.invalid", "192.0.2.1"])
def test_an_address_that_is_not_this_machines_names_its_option(host: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=f"cannot listen on {host}.*--host"):
        serve(Settings(data=tmp_path / "folder", host=host), Console(file=StringIO()))
