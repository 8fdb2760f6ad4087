"""A service in the shape of docs/api.md, without a log behind it: numbers that move with the clock it is given.

`Stub.answer` serves tests through httpx.MockTransport; run as a script it listens on a port, to look at the pages:
`python -m tests.unit.dashboard.stub 8120 [--empty]` (keys: lead, engineer, admin, annotator).
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import msgspec

from services.analysis import reports
from services.analysis.calibration import calibration_report
from services.analysis.gather import Judged
from services.analysis.next_point import next_point_report
from services.coordinator.calibration import next_round_at
from streams.events import Calibration
from tests.unit.dashboard.made_up import calibration_rounds, decided, judged_by_vendors

Json = dict[str, Any]
MINUTE = 60_000
DAY = 86_400_000
ROLES = {"plk_lead": "lead", "plk_engineer": "engineer", "plk_admin": "admin", "plk_annotator": "annotator"}
PEOPLE = [
    # name, accuracy, half interval, side bias, tie rate, judgments, standing, hypothesis alarmed
    ("Amara Okafor", 0.94, 0.03, 0.01, 0.08, 412, "active", ""),
    ("Jonas Lindqvist", 0.91, 0.04, -0.02, 0.11, 388, "active", ""),
    ("Mei Tanaka", 0.90, 0.05, 0.00, 0.06, 301, "active", ""),
    ("Priya Raman", 0.88, 0.05, 0.03, 0.10, 344, "active", ""),
    ("Diego Fuentes", 0.86, 0.06, -0.01, 0.14, 205, "active", ""),
    ("Leila Haddad", 0.84, 0.07, 0.02, 0.09, 160, "active", ""),
    ("Tom Becker", 0.81, 0.08, 0.05, 0.12, 133, "active", ""),
    ("Noor Aziz", 0.79, 0.14, 0.02, 0.10, 22, "active", ""),
    ("Sofia Rossi", 0.68, 0.08, 0.04, 0.20, 240, "weighted", "change"),
    ("Pavel Novak", 0.55, 0.09, 0.41, 0.02, 190, "suspended", "side"),
    ("Quick Click", 0.49, 0.06, 0.02, 0.01, 520, "suspended", "speed"),
]
EVIDENCE: dict[str, Json] = {
    "change": {"test": "change", "capital": 1210.2, "observations": 96, "null_rate": 0.35, "average_run_length": 1000},
    "side": {"test": "left", "capital": 1.2e6, "observations": 190, "null_rate": 0.65, "standing": "suspended"},
    "speed": {"test": "speed", "capital": 880.0, "observations": 60, "null_rate": 0.2, "standing": "suspended"},
}


def _error(status: int, code: str, message: str, mend: str) -> tuple[int, Json]:
    return status, {"error": {"code": code, "message": message, "field": "", "mend": mend}}


@dataclass
class Stub:
    """The service's state; `clock` in ms. `empty` has nothing in it yet; `actions` records every POST."""

    clock: Callable[[], int] = lambda: int(time.time() * 1000)
    empty: bool = False
    started_at: int = 0
    actions: list[tuple[str, Json]] = field(default_factory=list)
    standings: dict[str, tuple[str, str]] = field(default_factory=dict)  # annotator -> standing, reason
    champion: str = "m2"
    revoked: bool = False

    def __post_init__(self) -> None:
        self.started_at = self.started_at or self.clock() - 95 * MINUTE

    def transport(self) -> httpx.MockTransport:
        """For httpx.Client(transport=...)."""

        def respond(request: httpx.Request) -> httpx.Response:
            key = request.headers.get("authorization", "").removeprefix("Bearer ")
            body = json.loads(request.content or b"{}")
            status, answer = self.answer(
                request.method, request.url.raw_path.decode().partition("?")[0], dict(request.url.params), body, key
            )
            if isinstance(answer, str):
                return httpx.Response(status, text=answer)
            return httpx.Response(status, json=answer)

        return httpx.MockTransport(respond)

    def answer(self, method: str, path: str, query: dict[str, str], body: Json, key: str) -> tuple[int, Any]:
        """Status and body (JSON, or text of NDJSON lines)."""
        if path in ("/healthz", "/readyz"):
            return 200, {"status": "ok"}
        role = ROLES.get(key)
        if role is None or self.revoked:
            return _error(401, "unauthorized", "this key is not known here", "ask your lead for a key")
        parts = path.removeprefix("/v1/").split("/")
        if method == "POST":
            return self._post(parts, body, role)
        if parts[0] in ("annotators", "quality", "alerts") and role not in ("lead", "admin", "engineer"):
            return _error(403, "forbidden", f"a key with role {role} may not see this", "use a lead's key")
        found = getattr(self, f"_{parts[0]}", None)
        if found is None:
            return _error(404, "not_found", f"no such path: {path}", "see /docs")
        if parts[0] == "me":
            return 200, {"role": role, "annotator": "", "name": f"{role.title()} of the team", "standing": "active"}
        answer = found(parts[1:], query)
        return (200, answer) if answer is not None else _error(404, "not_found", f"{path} names nothing", "list first")

    def _post(self, parts: list[str], body: Json, role: str) -> tuple[int, Any]:
        if parts[-1] in ("suspend", "reinstate") and role not in ("lead", "admin"):
            return _error(403, "forbidden", "only a lead may do this", "ask a lead")
        self.actions.append(("/".join(parts), body))
        if parts[-1] in ("suspend", "reinstate"):
            standing = "suspended" if parts[-1] == "suspend" else "active"
            self.standings[parts[1]] = (standing, body["reason"])
            return 200, {"annotator": parts[1], "standing": standing, "reason": body["reason"]}
        if parts[-1] == "promote":
            self.champion = parts[1]
        return (201, {"batch": "b3"}) if parts == ["batches"] else (200, {})

    # ---------------------------------------------------------------- answers to GET, one a path

    def _wave(self, seconds: float, level: float, phase: float = 0.0) -> float:
        return max(0.0, level * (1 + 0.5 * math.sin(seconds / 97 + phase) + 0.2 * math.sin(seconds / 23 + phase)))

    def _live(self, _parts: list[str], _query: dict[str, str]) -> Json:
        now, seconds = self.clock(), (self.clock() - self.started_at) / 1000
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
                "events": 0 if self.empty else fixed.get(name, int(level * seconds)),
                "rate": 0.0 if self.empty else round(self._wave(seconds, level, len(name)), 2),
            }
            for name, level in levels.items()
        }
        answer: Json = {
            "now": now, "started_at": self.started_at, "version": "0.1.0", "topics": topics,
            "lag": dict.fromkeys(("tasks", "pairings", "assessments", "preferences"), 0),
            "queue": {"open": 0, "leased": 0, "escalated": 0, "by_campaign": {}},
            "annotators": {"active": 0, "suspended": 0, "online": 0}, "preferences": 0, "batches": 0, "champion": {},
            "dead_letters": 0, "errors": [], "history": [],
        }  # fmt: skip
        if self.empty:
            return answer
        return answer | {
            "lag": {"tasks": 0, "pairings": 0, "assessments": int(self._wave(seconds, 3)), "preferences": 0},
            "queue": {"open": int(self._wave(seconds, 40)), "leased": 5, "escalated": 2,
                      "by_campaign": {"default": 28, "triage": 6}},
            "annotators": {"active": 9, "suspended": 2, "online": 6},
            "preferences": topics["preferences"]["events"], "batches": 3,
            "champion": {"default": self.champion}, "dead_letters": 2,
            "errors": [{"at": now - 12 * MINUTE, "where": "stage:tasks",
                        "message": "output 'o-881' has a tag longer than 256 characters"}],
            "history": [
                {"at": at, "outputs": round(self._wave((at - self.started_at) / 1000, 2.8, 1)),
                 "judgments": round(self._wave((at - self.started_at) / 1000, 8)),
                 "preferences": round(self._wave((at - self.started_at) / 1000, 2.2, -0.4))}
                for at in range(now - 60 * MINUTE, now, 10_000)
            ],
        }  # fmt: skip

    def _annotator(self, index: int) -> Json:
        name, accuracy, half, side, ties, judgments, standing, alarm = PEOPLE[index]
        now, annotator = self.clock(), f"an{index:02d}"
        standing, reason = self.standings.get(
            annotator,
            (standing, {"suspended": f"alarm: {alarm}", "weighted": "accuracy below the floor"}.get(standing, "")),
        )
        return {
            "annotator": annotator, "name": name, "standing": standing,
            "standing_weight": {"active": 1.0, "weighted": 0.4, "suspended": 0.0}[standing],
            "since": now - 22 * MINUTE if standing != "active" else 0, "by": "stage:assessments" if alarm else "",
            "reason": reason, "accuracy": accuracy, "accuracy_low": accuracy - half * 1.2,
            "accuracy_high": min(1.0, accuracy + half * 0.8), "side_bias": side, "tie_rate": ties,
            "judgments": judgments, "evidence": judgments * 0.7, "last_judgment_at": now - index * 3 * MINUTE - 9_000,
            "alerts": 1 if alarm else 0,
        }  # fmt: skip

    def _alert(self, index: int) -> Json:
        hypothesis = PEOPLE[index][7]
        return {
            "alert": f"al{index}", "annotator": f"an{index:02d}", "campaign": "default", "hypothesis": hypothesis,
            "evidence": EVIDENCE[hypothesis], "since": self.clock() - 40 * MINUTE,
            "false_alarm_rate": 0.0 if hypothesis == "change" else 0.01,
            "judgment": "j7", "enforced": True, "at": self.clock() - 22 * MINUTE,
        }  # fmt: skip

    def _evidence(self, index: int) -> Json:
        """A curve that wanders below 1 and then climbs over both levels."""
        name, at = EVIDENCE.get(PEOPLE[index][7], {"test": "change"})["test"], self.clock() - 90 * MINUTE
        points = [
            {"at": at + n * MINUTE, "evidence": math.exp(0.8 * math.sin(n / 3) + max(0, n - 50) * 0.28)}
            for n in range(90)
        ]
        levels = [{"standing": "weighted", "evidence": 1000.0}, {"standing": "suspended", "evidence": 20000.0}]
        return {"annotator": f"an{index:02d}", "tests": [{"test": name, "levels": levels, "points": points}]}

    def _annotators(self, parts: list[str], query: dict[str, str]) -> Json | None:
        if not parts:
            people = [] if self.empty or query.get("after") else [self._annotator(i) for i in range(len(PEOPLE))]
            return {"annotators": people}
        index = int(parts[0].removeprefix("an"))
        if parts[-1] == "quarantine":
            return self._quarantine(index, query)
        if parts[-1] == "evidence":
            return self._evidence(index)
        now, alarm = self.clock(), PEOPLE[index][7]
        agreement = PEOPLE[index][1]
        recent = [
            {"judgment": f"j{n}", "task": f"5f{n:04x}", "choice": ("a", "b", "tie")[n * 7 % 3], "weight": 0.9,
             "agreement": min(0.99, max(0.02, agreement + 0.3 * math.sin(n * 2.1))) if n else None,
             "checks": [{"name": "speed", "passed": alarm != "speed", "detail": "11 s for 900 characters"},
                        {"name": "side", "passed": True, "detail": ""}],
             "answered_at": now - n * MINUTE}
            for n in range(25)
        ]  # fmt: skip
        current = self._annotator(index)
        history = [{"event": "h1", "standing": current["standing"], "since": now - 22 * MINUTE, "by": current["by"],
                    "reason": current["reason"], "alert": "al", "enforced": True, "at": now - 22 * MINUTE}]  # fmt: skip
        alerts = [self._alert(index)] if alarm else []
        return current | {"recent": recent, "alerts": alerts, "history": history if alarm else []}

    def _quarantine(self, index: int, query: dict[str, str]) -> Json | None:
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
        return some | {
            "annotator": f"an{index:02}", "since": 0 if undo else self.clock() - 70 * MINUTE, "undo": undo,
            "alert": "" if undo else "al", "hypothesis": "" if undo else alarm,
            "batches": [{"batch": "b1", "campaign": "default", "size": 226, "members": 31, "holdout": 4, "changed": 9}],
            "models": [{"model": "m2", "campaign": "default", "batch": "b1", "status": "champion"},
                       {"model": "m3", "campaign": "default", "batch": "b2", "status": "rejected"}],
            "verdicts": {"decided": 86, **changes, "requeued": 17, "escalated": 2, "labels": 17, "rows": rows},
        }  # fmt: skip

    def _appeals(self, _parts: list[str], _query: dict[str, str]) -> Json:
        quick = self._annotator(10)
        appeal = {"appeal": "ap1", "words": "I read these texts yesterday already.", "at": self.clock() - 7 * MINUTE}
        shown = {name: quick[name] for name in ("annotator", "name", "standing", "reason")}
        return {"appeals": [] if self.empty else [{**appeal, **shown}]}

    def _alerts(self, _parts: list[str], _query: dict[str, str]) -> Json:
        flagged = [i for i, person in enumerate(PEOPLE) if person[7]]
        return {"alerts": [] if self.empty else [self._alert(i) for i in flagged]}

    def _campaigns(self, parts: list[str], _query: dict[str, str]) -> Json:
        names = ["default"] if self.empty else ["default", "triage"]
        if parts and parts[-1] == "champion":
            return {"model": self.champion, "uri": "file:///models/m2"}
        if parts and parts[-1] == "gold":
            return self._gold()
        if parts and parts[-1] == "calibration":
            return self._calibration()
        return {"campaigns": [{"name": name, "version": 1, "mode": "live"} for name in names]}

    def _gold(self) -> Json:
        items = [{"task": f"601d{n:04x}", "answer": "ab"[n % 2], "exposures": 60 - 4 * n, "judged": 58 - 4 * n,
                  "state": "retired" if n == 0 else "in use" if n < 10 else "resting",
                  "reason": "retired: seen by 60 of at most 60 annotators" if n == 0 else "",
                  "created_at": self.clock() - (30 - 2 * n) * DAY, "grown_from": f"7a5c{n:04x}" if n % 4 == 1 else "",
                  "right": 0.93 - 0.02 * n, "low": 0.85 - 0.03 * n, "high": 0.97 - 0.01 * n,
                  "leak": {"right": 48.0 if n == 3 else 1.0 + 0.1 * n, "fast": 1.2}}
                 for n in range(13)]  # fmt: skip
        return {
            "campaign": "default", "gold_rate": 0.1, "in_use": 0 if self.empty else 9, "resting": 3, "retired": 1,
            "policy": {"adaptive": True, "exposure_cap": 60, "in_use": 9, "leak_rate": 0.01, "grow": not self.empty},
            "qualification": {"tasks": 20, "pass_mark": 0.8, "fail_mark": 0.6, "error": 0.05},
            "items": [] if self.empty else items,
        }  # fmt: skip

    def _calibration(self) -> Json:
        """The real report, of made-up rounds."""
        terms, now = Calibration(tasks=0 if self.empty else 12, every_days=7), self.clock()
        found = calibration_report([] if self.empty else calibration_rounds(terms, now, people=len(PEOPLE) - 1))
        policy = {"tasks": terms.tasks, "every_days": terms.every_days}
        told = {"campaign": "default", "policy": policy, "next_at": next_round_at(terms, now)}
        return told | msgspec.to_builtins(found)  # type: ignore[no-any-return]

    def _quality(self, parts: list[str], query: dict[str, str]) -> Json:
        """The real reports, of made-up judgments."""
        judged = Judged(rows=[]) if self.empty else judged_by_vendors()
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
                return next_point_report([] if self.empty else decided())
            case _:
                names = query.get("one", ""), query.get("other", "")
                prices = float(query.get("price_one", 0)), float(query.get("price_other", 0))
                return reports.comparison_report(judged, query.get("by", "vendor"), names, prices)

    def _batches(self, parts: list[str], _query: dict[str, str]) -> Json:
        now = self.clock()
        batches = [{"batch": f"b{n}", "campaign": "default", "size": 256 - 30 * n, "holdout_size": 24 + n,
                    "reason": ("256 preferences", "oldest is 24 h", "cut by key:engineer")[n],
                    "at": now - (80 - 30 * n) * MINUTE} for n in range(3)]  # fmt: skip
        if parts:
            one = next(b for b in batches if b["batch"] == parts[0])
            members = [[f"5f{n:04x}", 1 + n % 2] for n in range(int(str(one["size"])))]
            return one | {"definition": {"members": members, "holdout": members[:24],
                                         "offsets": {"preferences": 1204, "outputs": 1630}}}  # fmt: skip
        return {"batches": [] if self.empty else batches[::-1]}

    def _datasets(self, _parts: list[str], _query: dict[str, str]) -> str:
        row: Json = {
            "split": "train", "task": "5f0001", "revision": 1, "campaign": "default",
            "prompt": [{"role": "user", "content": "My rice always turns out sticky. What am I doing wrong?"}],
            "chosen": [{"role": "assistant", "content": "Rinse it until the water runs clear, then use less water."}],
            "rejected": [{"role": "assistant", "content": "Rice is a staple food. <script>alert(1)</script> There are"
                          " many varieties of rice, and each of them has its own history and its own uses."}],
            "probability": 0.93, "p_a": 0.93, "p_b": 0.05, "p_tie": 0.02, "verdict": "a", "margin": 0.88,
            "tags": {"domain": "chat"}, "judgments": ["j1", "j2", "j3"], "annotators": ["an00", "an01", "an02"],
        }  # fmt: skip
        rows = [row | {"task": f"5f{n:04x}", "probability": round(0.97 - n * 0.008, 3)} for n in range(40)]
        return "".join(json.dumps(r) + "\n" for r in rows)

    def _runs(self, parts: list[str], _query: dict[str, str]) -> Json:
        now = self.clock()
        step = int((now - self.started_at) / 1000) % 120
        common = {"campaign": "default", "trainer": "trainer-1", "base_model": "SmolLM2-135M-Instruct", "config": {}}
        runs = [
            common | {"run": "r3", "batch": "b2", "status": "progress", "parent": "m2", "stage": "dpo", "step": step,
                      "steps": 120, "metrics": {"loss": 0.61}, "error": "", "requested_at": now - 9 * MINUTE,
                      "updated_at": now - 2_000},
            common | {"run": "r2", "batch": "b1", "status": "finished", "parent": "m1", "stage": "evaluation",
                      "step": 40,
                      "steps": 40, "metrics": {}, "error": "", "requested_at": now - 50 * MINUTE,
                      "updated_at": now - 41 * MINUTE},
            common | {"run": "r1", "batch": "b0", "status": "failed", "parent": "", "stage": "dpo", "step": 3,
                      "steps": 60,
                      "metrics": {}, "error": "no space left on the device; free some and request the run again",
                      "requested_at": now - 80 * MINUTE, "updated_at": now - 79 * MINUTE},
        ]  # fmt: skip
        if not parts:
            return {"runs": [] if self.empty else runs}
        curves = [{"stage": stage, "step": n, "at": now - (60 - n) * 4_000,
                   "metrics": {"loss": 0.69 * math.exp(-n / 80) + 0.02 * math.sin(n * 1.7),
                               "accuracy": 0.5 + 0.3 * (1 - math.exp(-n / 25)) + 0.02 * math.sin(n)}}
                  for stage, last in (("reward_model", 40), ("dpo", max(step, 2))) for n in range(1, last)]  # fmt: skip
        return next(run for run in runs if run["run"] == parts[0]) | {"curves": curves}

    def _models(self, parts: list[str], _query: dict[str, str]) -> Json:
        now = self.clock()
        report = {
            "holdout": {"pairs": 120, "new_correct": 84, "champion_correct": 73, "only_new_correct": 19,
                        "only_champion_correct": 8},
            "over_refusal": {"safe_prompts": 250, "new_refused_safe": 6, "champion_refused_safe": 8,
                             "unsafe_prompts": 200, "new_refused_unsafe": 150, "champion_refused_unsafe": 148},
            "kl": 3.4, "train_pairs": 226, "skipped_pairs": 2, "seconds": 184.0,
            "reward_model": {"pairs": 120, "accuracy": 0.74, "calibration_error": 0.06, "length_correlation": 0.18},
            "slices": {"domain=code": {"pairs": 40, "new_correct": 30, "champion_correct": 25, "only_new_correct": 8,
                                       "only_champion_correct": 3}},
        }  # fmt: skip
        models = [{"model": f"m{n}", "campaign": "default", "run": f"r{n}", "batch": f"b{n - 1}", "parent": f"m{n - 1}",
                   "uri": f"file:///models/m{n}", "report": report, "manifest": {}, "at": now - (95 - 27 * n) * MINUTE,
                   "status": "champion" if f"m{n}" == self.champion else ("retired", "candidate", "rejected")[n - 1],
                   "doubt": {"pairs": 31, "size": 226, "inherited_from": ["m1"]} if n == 3 else None}
                  for n in (3, 2, 1)]  # fmt: skip
        if not parts:
            return {"models": [] if self.empty else models}
        if parts[-1] == "lineage":
            return {"model": parts[0], "run": "r2", "batch": "b1", "preferences": {"count": 226, "ids": ["5f0001"]},
                    "judgments": {"count": 689, "ids": ["j1"]}, "annotators": {"count": 9, "ids": ["an00"]},
                    "outputs": {"count": 226, "ids": ["o-17"]}}  # fmt: skip
        one = next(model for model in models if model["model"] == parts[0])
        promoted = one["status"] != "rejected"
        reasons = ["held-out accuracy +0.092, 90 % interval [+0.021, +0.163], may not drop by more than 0.05",
                   "over-refusal 0.024 against 0.032 of the champion", "KL 3.4 nats, at most 20"]  # fmt: skip
        return one | {"decision": {"decision": "promoted" if promoted else "rejected", "reasons": reasons, "by": "gate",
                                   "override": False, "previous": "m1", "at": now - 40 * MINUTE}}  # fmt: skip

    def _dead_letters(self, _parts: list[str], _query: dict[str, str]) -> Json:
        letters = [{"log_offset": 900 + n, "topic": "outputs", "source_offset": 811 + n, "key": f"o-{881 + n}",
                    "stage": "tasks", "reason": "KeyError: 'content'", "payload": '{"type": "Output", "id": "x"}',
                    "at": self.clock() - 12 * MINUTE} for n in range(2)]  # fmt: skip
        return {"dead_letters": [] if self.empty or _query.get("after") else letters}

    def _me(self, _parts: list[str], _query: dict[str, str]) -> Json:
        raise NotImplementedError  # answered above, where the role is known


def main() -> None:
    """Serve a stub on the port named first, until stopped."""
    stub = Stub(empty="--empty" in sys.argv)

    class Handler(BaseHTTPRequestHandler):
        def _respond(self) -> None:
            url = urlsplit(self.path)
            length = int(self.headers.get("content-length") or 0)
            body = json.loads(self.rfile.read(length) or b"{}")
            key = (self.headers.get("authorization") or "").removeprefix("Bearer ")
            query = {name: values[0] for name, values in parse_qs(url.query).items()}
            status, answer = stub.answer(self.command, url.path, query, body, key)
            text = answer if isinstance(answer, str) else json.dumps(answer)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_POST = _respond  # noqa: N815

        def log_message(self, *_args: Any) -> None:
            pass

    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()


if __name__ == "__main__":
    main()
