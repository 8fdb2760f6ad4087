"""The people, their alarms, and what a quarantine of one would change."""

from __future__ import annotations

import math

from tests.unit.dashboard.stub.state import MINUTE, PEOPLE, Json, State

EVIDENCE: dict[str, Json] = {
    "change": {"test": "change", "capital": 1210.2, "observations": 96, "null_rate": 0.35, "average_run_length": 1000},
    "side": {"test": "left", "capital": 1.2e6, "observations": 190, "null_rate": 0.65, "standing": "suspended"},
    "speed": {"test": "speed", "capital": 880.0, "observations": 60, "null_rate": 0.2, "standing": "suspended"},
}


def annotators(state: State, parts: list[str], query: dict[str, str]) -> Json | None:
    if not parts:
        people = [] if state.empty or query.get("after") else [annotator(state, i) for i in range(len(PEOPLE))]
        return {"annotators": people}
    index = int(parts[0].removeprefix("ukp/an"))
    if parts[-1] == "quarantine":
        return quarantine(state, index, query)
    if parts[-1] == "evidence":
        return evidence(state, index)
    return whole(state, index)


def whole(state: State, index: int) -> Json:
    """As the page of one annotator wants it."""
    now, agreement, alarm = state.clock(), PEOPLE[index][1], PEOPLE[index][7]
    recent = [
        {"judgment": f"j{n}", "task": f"5f{n:04x}", "choice": ("a", "b", "tie")[n * 7 % 3], "weight": 0.9,
         "agreement": min(0.99, max(0.02, agreement + 0.3 * math.sin(n * 2.1))) if n else None,
         "checks": [{"name": "speed", "passed": alarm != "speed", "detail": "11 s for 900 characters"},
                    {"name": "side", "passed": True, "detail": ""}],
         "answered_at": now - n * MINUTE}
        for n in range(25)
    ]  # fmt: skip
    current = annotator(state, index)
    history = [{"event": "h1", "standing": current["standing"], "since": now - 22 * MINUTE, "by": current["by"],
                "reason": current["reason"], "alert": "al", "enforced": True, "at": now - 22 * MINUTE}]  # fmt: skip
    alerts = [alert(state, index)] if alarm else []
    return current | {"recent": recent, "alerts": alerts, "history": history if alarm else []}


def annotator(state: State, index: int) -> Json:
    name, accuracy, half, side, ties, judgments, standing, alarm = PEOPLE[index]
    now, annotator = state.clock(), f"ukp/an{index:02d}"
    standing, reason = state.standings.get(
        annotator,
        (standing, {"suspended": f"alarm: {alarm}", "weighted": "accuracy below the floor"}.get(standing, "")),
    )
    return {
        "annotator": annotator, "name": name, "standing": standing,
        "standing_weight": {"active": 1.0, "weighted": 0.4, "suspended": 0.0}[standing],
        "since": now - 22 * MINUTE if standing != "active" else 0, "by": "stage:assessments" if alarm else "",
        "reason": reason, "accuracy": accuracy, "accuracy_low": accuracy - half * 1.2,
        "accuracy_high": min(1.0, accuracy + half * 0.8), "side_bias": side,
        "side_bias_low": side - half, "side_bias_high": side + half, "tie_rate": ties,
        "tie_rate_low": ties / 2, "tie_rate_high": min(1.0, ties * 1.5 + 0.02),
        "judgments": judgments, "evidence": judgments * 0.7, "last_judgment_at": now - index * 3 * MINUTE - 9_000,
        "alerts": 1 if alarm else 0,
        "grade": "better" if accuracy > 0.85 else "seldom" if accuracy < 0.6 else "usual",
    }  # fmt: skip


def alert(state: State, index: int) -> Json:
    hypothesis = PEOPLE[index][7]
    return {
        "alert": f"al{index}", "annotator": f"ukp/an{index:02d}", "campaign": "default", "hypothesis": hypothesis,
        "evidence": EVIDENCE[hypothesis], "since": state.clock() - 40 * MINUTE,
        "false_alarm_rate": 0.0 if hypothesis == "change" else 0.01,
        "judgment": "j7", "enforced": True, "at": state.clock() - 22 * MINUTE,
    }  # fmt: skip


def evidence(state: State, index: int) -> Json:
    """A curve that wanders below 1 and then climbs over both levels."""
    name, at = EVIDENCE.get(PEOPLE[index][7], {"test": "change"})["test"], state.clock() - 90 * MINUTE
    points = [
        {"number": n + 1, "at": at + n * MINUTE, "evidence": math.exp(0.8 * math.sin(n / 3) + max(0, n - 50) * 0.28)}
        for n in range(90)
    ]
    levels = [{"standing": "weighted", "evidence": 1000.0}, {"standing": "suspended", "evidence": 20000.0}]
    return {"annotator": f"ukp/an{index:02d}", "tests": [{"test": name, "levels": levels, "points": points}]}


def quarantine(state: State, index: int, query: dict[str, str]) -> Json | None:
    undo, alarm = query.get("undo") == "1", PEOPLE[index][7]
    if PEOPLE[index][0] == "Noor Aziz" and query.get("since", "auto") == "auto" and not undo:
        return None
    changes = {"turned": 6, "lost": 17, "reached": 0, "same": 54, "undecided": 9}
    rows = [{"task": f"5f{n:04x}", "campaign": "default", "change": change, "verdict": "ab"[n % 2],
             "probability": 0.97 - 0.003 * n, "verdict_after": "ba"[n % 2] if change == "turned" else None,
             "probability_after": 0.9 - 0.01 * n, "status": "closed",
             "status_after": "closed" if change == "turned" else "open", "labels": int(change == "lost")}
            for change, first, last in (("turned", 0, 6), ("lost", 6, 23)) for n in range(first, last)]  # fmt: skip
    some = {name: {"count": count, "ids": []}
            for name, count in (("judgments", 86), ("tasks", 86), ("preferences", 77), ("runs", 1))}  # fmt: skip
    standing = annotator(state, index)["standing"]
    if standing == ("active" if undo else "suspended"):
        some["judgments"] = {"count": 0, "ids": []}
    return some | {
        "annotator": f"ukp/an{index:02}", "standing": standing,
        "since": 0 if undo else state.clock() - 70 * MINUTE, "undo": undo,
        "alert": "" if undo else "al", "hypothesis": "" if undo else alarm,
        "batches": [{"batch": "b1", "campaign": "default", "size": 226, "members": 31, "holdout": 4, "changed": 9}],
        "models": [{"model": "m2", "campaign": "default", "batch": "b1", "status": "champion"},
                   {"model": "m3", "campaign": "default", "batch": "b2", "status": "rejected"}],
        "verdicts": {"decided": 86, **changes, "requeued": 17, "escalated": 2, "labels": 17, "rows": rows},
    }  # fmt: skip


def appeals(state: State, _parts: list[str], _query: dict[str, str]) -> Json:
    quick = annotator(state, 10)
    appeal = {"appeal": "ap1", "words": "I read these texts yesterday already.", "at": state.clock() - 7 * MINUTE}
    shown = {name: quick[name] for name in ("annotator", "name", "standing", "reason")}
    return {"appeals": [] if state.empty else [{**appeal, **shown}]}


def alerts(state: State, _parts: list[str], _query: dict[str, str]) -> Json:
    flagged = [i for i, person in enumerate(PEOPLE) if person[7]]
    return {"alerts": [] if state.empty else [alert(state, i) for i in flagged]}
