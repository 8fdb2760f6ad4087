"""The loop as it goes by: what is live, batches and their pairs, dead letters."""

from __future__ import annotations

import json
import math

from tests.unit.dashboard.stub.state import MINUTE, Json, State


def live(state: State, _parts: list[str], _query: dict[str, str]) -> Json:
    now, seconds = state.clock(), (state.clock() - state.started_at) / 1000
    levels = {
        "campaigns": 0.0, "texts": 0.31, "outputs": 0.28, "tasks": 0.27, "assignments": 0.9, "judgments": 0.8,
        "assessments": 0.8,
        "agreements": 0.7, "alerts": 0.001, "standings": 0.002, "preferences": 0.22, "task_updates": 0.3,
        "batches": 0.0,
        "run_updates": 0.1, "checkpoints": 0.0, "promotions": 0.0, "dead_letters": 0.0,
    }  # fmt: skip
    fixed = {"campaigns": 1, "batches": 3, "checkpoints": 3, "promotions": 3, "dead_letters": 2, "alerts": 3}
    topics = {
        name: {
            "events": 0 if state.empty else fixed.get(name, int(level * seconds)),
            "rate": 0.0 if state.empty else round(wave(seconds, level, len(name)), 2),
        }
        for name, level in levels.items()
    }
    answer: Json = {
        "now": now, "started_at": state.started_at, "version": "0.1.0", "topics": topics,
        "lag": dict.fromkeys(("tasks", "pairings", "assessments", "preferences"), 0),
        "queue": {"open": 0, "leased": 0, "escalated": 0, "by_campaign": {}},
        "annotators": {"active": 0, "suspended": 0, "online": 0}, "preferences": 0, "batches": 0, "champion": {},
        "dead_letters": 0, "errors": [], "history": [],
    }  # fmt: skip
    if state.empty:
        return answer
    return answer | {
        "lag": {"tasks": 0, "pairings": 0, "assessments": int(wave(seconds, 3)), "preferences": 0},
        "queue": {"open": int(wave(seconds, 40)), "leased": 5, "escalated": 2,
                  "by_campaign": {"default": 28, "triage": 6}},
        "annotators": {"active": 9, "suspended": 2, "online": 6},
        "preferences": topics["preferences"]["events"], "batches": 3,
        "champion": {"default": state.champion}, "dead_letters": 2,
        "errors": [{"at": now - 12 * MINUTE, "where": "stage:tasks",
                    "message": "output 'o-881' has a tag longer than 256 characters"}],
        "history": [
            {"at": at, "outputs": round(wave((at - state.started_at) / 1000, 2.8, 1)),
             "judgments": round(wave((at - state.started_at) / 1000, 8)),
             "preferences": round(wave((at - state.started_at) / 1000, 2.2, -0.4))}
            for at in range(now - 60 * MINUTE, now, 10_000)
        ],
    }  # fmt: skip


def wave(seconds: float, level: float, phase: float = 0.0) -> float:
    return max(0.0, level * (1 + 0.5 * math.sin(seconds / 97 + phase) + 0.2 * math.sin(seconds / 23 + phase)))


def batches(state: State, parts: list[str], _query: dict[str, str]) -> Json:
    now = state.clock()
    batches = [{"batch": f"b{n}", "campaign": "default", "size": 256 - 30 * n, "holdout_size": 24 + n,
                "reason": ("256 preferences", "oldest is 24 h", "cut by key:engineer")[n],
                "at": now - (80 - 30 * n) * MINUTE} for n in range(3)]  # fmt: skip
    if parts:
        one = next(b for b in batches if b["batch"] == parts[0])
        members = [[f"5f{n:04x}", 1 + n % 2] for n in range(int(str(one["size"])))]
        return one | {"turned_by_refinement": 3, "definition": {"members": members, "holdout": members[:24],
                                     "offsets": {"preferences": 1204, "outputs": 1630}}}  # fmt: skip
    return {"batches": [] if state.empty else batches[::-1]}


def datasets(state: State, _parts: list[str], _query: dict[str, str]) -> str:
    row: Json = {
        "split": "train", "task": "5f0001", "revision": 1, "campaign": "default",
        "prompt": [{"role": "user", "content": "My rice always turns out sticky. What am I doing wrong?"}],
        "chosen": [{"role": "assistant", "content": "Rinse it until the water runs clear, then use less water."}],
        "rejected": [{"role": "assistant", "content": "Rice is a staple food. <script>alert(1)</script> There are"
                      " many varieties of rice, and each of them has its own history and its own uses."}],
        "probability": 0.93, "p_a": 0.93, "p_b": 0.05, "p_tie": 0.02, "verdict": "a", "margin": 0.88,
        "online": [0.88, 0.09, 0.03],
        "tags": {"domain": "chat"}, "judgments": ["j1", "j2", "j3"], "annotators": ["ukp/an00", "ukp/an01", "ukp/an02"],
    }  # fmt: skip
    rows = [row | {"task": f"5f{n:04x}", "probability": round(0.97 - n * 0.008, 3)} for n in range(40)]
    return "".join(json.dumps(r) + "\n" for r in rows)


def dead_letters(state: State, _parts: list[str], _query: dict[str, str]) -> Json:
    letters = [{"log_offset": 900 + n, "topic": "outputs", "source_offset": 811 + n, "key": f"o-{881 + n}",
                "stage": "tasks", "reason": "KeyError: 'content'", "payload": '{"type": "Output", "id": "x"}',
                "at": state.clock() - 12 * MINUTE} for n in range(2)]  # fmt: skip
    return {"dead_letters": [] if state.empty or _query.get("after") else letters}
