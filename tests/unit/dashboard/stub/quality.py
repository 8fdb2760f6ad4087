"""Gold, calibration rounds and the reports: the real ones, of made-up judgments."""

from __future__ import annotations

import msgspec

from services.analysis import reports
from services.analysis.calibration import calibration_report
from services.analysis.gather import Judged
from services.analysis.next_point import next_point_report
from services.coordinator.calibration import next_round_at
from streams.events import Calibration
from tests.unit.dashboard.made_up import calibration_rounds, decided, judged_by_vendors
from tests.unit.dashboard.stub.state import DAY, PEOPLE, Json, State


def campaigns(state: State, parts: list[str], _query: dict[str, str]) -> Json:
    made = {"default": "system"} if state.empty else {"default": "system", "triage": "key:lead"}
    if parts and parts[-1] == "champion":
        return {"model": state.champion, "uri": "file:///models/m2"}
    if parts and parts[-1] == "gold":
        return gold(state)
    if parts and parts[-1] == "calibration":
        return calibration(state)
    return {"campaigns": [{"name": name, "version": 1, "actor": actor, "mode": "live"} for name, actor in made.items()]}


def gold(state: State) -> Json:
    items = [{"task": f"601d{n:04x}", "answer": "ab"[n % 2], "exposures": 60 - 4 * n, "judged": 58 - 4 * n,
              "state": "retired" if n == 0 else "in use" if n < 10 else "resting",
              "reason": "retired: seen by 60 of at most 60 annotators" if n == 0 else "",
              "created_at": state.clock() - (30 - 2 * n) * DAY,
              "retired_at": state.clock() - DAY if n == 0 else None, "grown_from": f"7a5c{n:04x}" if n % 4 == 1 else "",
              "right": 0.93 - 0.02 * n, "low": 0.85 - 0.03 * n, "high": 0.97 - 0.01 * n,
              "leak": {"right": 48.0 if n == 3 else 1.0 + 0.1 * n, "fast": 1.2}}
             for n in range(13)]  # fmt: skip
    return {
        "campaign": "default", "gold_rate": 0.1, "in_use": 0 if state.empty else 9, "resting": 3, "retired": 1,
        "policy": {"adaptive": True, "exposure_cap": 60, "in_use": 9, "leak_rate": 0.01, "grow": not state.empty},
        "qualification": {"tasks": 20, "pass_mark": 0.8, "fail_mark": 0.6, "error": 0.05},
        "items": [] if state.empty else items,
    }  # fmt: skip


def calibration(state: State) -> Json:
    """The real report, of made-up rounds."""
    terms, now = Calibration(tasks=0 if state.empty else 12, every_days=7), state.clock()
    found = calibration_report([] if state.empty else calibration_rounds(terms, now, people=len(PEOPLE) - 1))
    policy = {"tasks": terms.tasks, "every_days": terms.every_days}
    told = {"campaign": "default", "policy": policy, "next_at": next_round_at(terms, now)}
    return told | msgspec.to_builtins(found)  # type: ignore[no-any-return]


def quality(state: State, parts: list[str], query: dict[str, str]) -> Json:
    """The real reports, of made-up judgments, worked out a quarter of a minute ago."""
    return {"as_of": state.clock() - 15_000, **report(state, parts, query)}


def report(state: State, parts: list[str], query: dict[str, str]) -> Json:
    """The one that is asked for."""
    judged = Judged(rows=[]) if state.empty else judged_by_vendors()
    match parts:
        case ["agreement"]:
            return reports.agreement_report(judged)
        case ["biases"]:
            return reports.biases_report(judged)
        case ["causes"]:
            return reports.causes_report(judged)
        case ["populations"]:
            return reports.populations_report(judged)
        case ["next-point"]:
            return next_point_report([] if state.empty else decided())
        case _:
            names = query.get("one", ""), query.get("other", "")
            prices = float(query.get("price_one", 0)), float(query.get("price_other", 0))
            return reports.comparison_report(judged, query.get("by", "vendor"), names, prices)
