"""Runs with their curves, models with their reports."""

from __future__ import annotations

import math

from tests.unit.dashboard.stub.state import MINUTE, Json, State


def runs(state: State, parts: list[str], _query: dict[str, str]) -> Json:
    now = state.clock()
    step = int((now - state.started_at) / 1000) % 120
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
        return {"runs": [] if state.empty else runs}
    curves = [{"stage": stage, "step": n, "at": now - (60 - n) * 4_000,
               "metrics": {"loss": 0.69 * math.exp(-n / 80) + 0.02 * math.sin(n * 1.7),
                           "accuracy": 0.5 + 0.3 * (1 - math.exp(-n / 25)) + 0.02 * math.sin(n)}}
              for stage, last in (("reward_model", 40), ("dpo", max(step, 2))) for n in range(1, last)]  # fmt: skip
    return next(run for run in runs if run["run"] == parts[0]) | {"curves": curves}


def models(state: State, parts: list[str], _query: dict[str, str]) -> Json:
    now = state.clock()
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
               "status": "champion" if f"m{n}" == state.champion else ("retired", "candidate", "rejected")[n - 1],
               "doubt": {"pairs": 31, "size": 226, "inherited_from": ["m1"]} if n == 3 else None}
              for n in (3, 2, 1)]  # fmt: skip
    if not parts:
        return {"models": [] if state.empty else models}
    if parts[-1] == "lineage":
        return {"model": parts[0], "run": "r2", "batch": "b1", "preferences": {"count": 226, "ids": ["5f0001"]},
                "judgments": {"count": 689, "ids": ["j1"]}, "annotators": {"count": 9, "ids": ["ukp/an00"]},
                "outputs": {"count": 226, "ids": ["o-17"]}}  # fmt: skip
    one = next(model for model in models if model["model"] == parts[0])
    promoted = one["status"] != "rejected"
    reasons = ["held-out accuracy +0.092, 90 % interval [+0.021, +0.163], may not drop by more than 0.05",
               "over-refusal 0.024 against 0.032 of the champion", "KL 3.4 nats, at most 20"]  # fmt: skip
    return one | {"decision": {"decision": "promoted" if promoted else "rejected", "reasons": reasons, "by": "gate",
                               "override": False, "previous": "m1", "at": now - 40 * MINUTE}}  # fmt: skip
