"""What `prefloop up` carries."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("numpy", "pandas", "redis", "kafka", "torch")  # 14 MB and more each: the process may hold 150


def test_the_process_of_one_machine_imports_nothing_heavy() -> None:
    code = f"import sys, services.cli, services.up; print([name for name in {HEAVY!r} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
