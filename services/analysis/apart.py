"""Reports made in a process of their own: this is the door to them, which the API's process imports.

numpy comes in with the reports, there alone: the API's process would carry it for nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Literal

import anyio.to_process

Name = Literal[
    "calibration.calibration_report",
    "next_point.next_point_report",
    "overview.overview_report",
    "refined.refined_posteriors",
    "reports.agreement_report",
    "reports.biases_report",
    "reports.causes_report",
    "reports.comparison_report",
    "reports.populations_report",
    "rings.rings_report",
]


async def report(name: Name, *arguments: Any) -> Any:
    """What the function of that name, `module.function` in this package, makes of the arguments."""
    return await anyio.to_process.run_sync(_made, name, *arguments)


def _made(name: Name, *arguments: Any) -> Any:
    module, function = name.split(".")
    return getattr(import_module(f"services.analysis.{module}"), function)(*arguments)
