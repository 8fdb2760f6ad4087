"""Models: runs as they train, what the gate decided and why, promotion, rollback, lineage."""

from __future__ import annotations

from html import escape
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import charts, parts, session, wording
from dashboard.parts import Action, Tile
from streams.quality.intervals import wilson

Json = dict[str, Any]
RUNNING = ("requested", "claimed", "progress")
CURVES = 3  # charts of a run, at most


# ---------------------------------------------------------------- runs


def progress(run: Json) -> None:
    """One run under way: stage, step, how it goes."""
    step, steps = run["step"] or 0, run["steps"] or 0
    waiting = run["status"] == "requested"
    stage = "waiting for a trainer" if waiting else (run["stage"] or "starting").replace("_", " ")
    numbers = ", ".join(f"{name} {value:.3g}" for name, value in list((run["metrics"] or {}).items())[:4])
    who = f"**{wording.short(run['run'])}** · {run['campaign']} · {stage}"
    share = min(1.0, step / steps) if steps else 0.0
    st.progress(share, text=f"{who} · step {step:,} of {steps:,}" if steps else who)
    heard = f"last heard of {wording.ago(run['updated_at'], session.now())}"
    st.caption(" · ".join(filter(None, [f"trainer {run['trainer']}" if run["trainer"] else "", numbers, heard])))


def curves(run: Json) -> None:
    """The run's metrics by step."""
    watched = session.watch(f"/v1/runs/{session.part(run['run'])}")
    rows = pd.DataFrame(
        [
            {"metric": metric, "stage": point["stage"].replace("_", " "), "step": point["step"], "value": value}
            for point in (watched.value or {}).get("curves", [])
            for metric, value in point["metrics"].items()
        ]
    )
    if not rows.empty:  # a single point is no curve
        rows = rows[rows.groupby(["metric", "stage"])["step"].transform("size") > 1]
    if rows.empty:
        st.caption("Curves appear with the first steps.")
        return
    names = sorted(rows["metric"].unique(), key=importance)[:CURVES]
    for column, metric in zip(st.columns(CURVES, gap="large"), names, strict=False):
        with column:
            chosen = rows[rows["metric"] == metric][["stage", "step", "value"]]
            parts.chart(chosen, charts.curve(session.colours(), metric), key=f"curve-{run['run']}-{metric}")


def importance(metric: str) -> tuple[int, str]:
    """Loss first, then what is said of rewards and accuracy, then the rest by name."""
    order = ("loss", "accurac", "margin", "kl")
    return next((n for n, word in enumerate(order) if word in metric.lower()), len(order)), metric


def label(run: Json) -> str:
    """A run in one line."""
    when = wording.ago(run["updated_at"], session.now())
    return " · ".join([wording.short(run["run"]), run["campaign"], run["status"], when])


def trained(runs: list[Json]) -> None:
    """Runs under way, and the curves of the one that is chosen."""
    parts.title("Runs", "a batch becomes a reward model and a policy")
    if not runs:
        parts.empty(
            "No run yet.",
            "A run is requested when a batch is cut and the campaign names a base_model; a trainer then claims it. "
            "To train here and now on the newest batch:",
            session.pasted("prefloop train"),
        )
        return
    for run in runs:
        if run["status"] in RUNNING:
            progress(run)
    by_id = {run["run"]: run for run in runs}
    chosen = st.selectbox("Curves of", list(by_id), format_func=lambda name: label(by_id[name]), key="run", width=460)
    if by_id[chosen]["error"]:
        st.html(f'<div class="pf-away"><b>This run failed.</b> {escape(by_id[chosen]["error"])}</div>')
    curves(by_id[chosen])


# ---------------------------------------------------------------- models


def table(models: list[Json]) -> str:
    """All models; returns the chosen one, or the newest."""
    holdout = [(row["report"] or {}).get("holdout") or {} for row in models]
    frame = pd.DataFrame(
        {
            "Model": [row["model"] for row in models],
            "Status": [row["status"] + (", in doubt" if row.get("doubt") else "") for row in models],
            "Campaign": [row["campaign"] for row in models],
            "Held-out accuracy": [
                round(h.get("new_correct", 0) / h["pairs"], 3) if h.get("pairs") else None for h in holdout
            ],
            "Champion then": [
                round(h.get("champion_correct", 0) / h["pairs"], 3) if h.get("pairs") else None for h in holdout
            ],
            "KL, nats": [(row["report"] or {}).get("kl") for row in models],
            "From batch": [row["batch"] for row in models],
            "Made": [wording.moment(row["at"], session.zone()) for row in models],
        }
    )
    config = {
        "Held-out accuracy": st.column_config.NumberColumn(
            format="percent", help="Of pairs never trained on, ranked as people did"
        ),
        "Champion then": st.column_config.NumberColumn(
            format="percent", help="The champion at that time, on the same pairs"
        ),
        "KL, nats": st.column_config.NumberColumn(format="%.2f", help="A response, to the reference model"),
        "Made": st.column_config.DatetimeColumn(format="D MMM YYYY, HH:mm:ss"),
    }
    return str(models[parts.pick(frame, "models", 260, config)]["model"])


def shares(report: Json) -> list[Json]:
    """The report's shares with their 95% intervals, new model and champion."""
    holdout, refusal = report.get("holdout") or {}, report.get("over_refusal") or {}
    counted = [
        ("held-out accuracy, this model", holdout.get("new_correct"), holdout.get("pairs")),
        ("held-out accuracy, champion", holdout.get("champion_correct"), holdout.get("pairs")),
        ("safe prompts refused, this model", refusal.get("new_refused_safe"), refusal.get("safe_prompts")),
        ("safe prompts refused, champion", refusal.get("champion_refused_safe"), refusal.get("safe_prompts")),
    ]
    rows = []
    for name, hits, n in counted:
        if n:
            low, high = wilson((hits or 0) / n, n)
            rows.append({"name": name, "share": (hits or 0) / n, "low": low, "high": high, "n": n})
    return rows


def examined(report: Json) -> None:
    """The evaluation report."""
    parts.title("Evaluation", "shares with their 95% intervals")
    if rows := shares(report):
        spec = charts.share_intervals(session.colours(), len(rows), "share, with its 95% interval")
        parts.chart(pd.DataFrame(rows), spec, key="shares")
    kl, seconds, skipped = report.get("kl"), report.get("seconds") or 0, report.get("skipped_pairs") or 0
    trained_on = f"{wording.count(report.get('train_pairs') or 0)} pairs in {wording.span(seconds * 1000)}"
    parts.facts(
        [
            ("Trained on", f"{trained_on}; {wording.count(skipped)} skipped"),
            ("KL", "not measured" if kl is None else f"{kl:.2f} nats a response to the reference model"),
            ("Reward model", rewarded(report.get("reward_model"))),
            ("Answers", answered(report.get("samples"))),
        ]
    )


def answered(found: Json | None) -> str:
    """What the sampled answers look like, as a line."""
    if not found or not found.get("prompts"):
        return "none sampled"
    return (
        f"{found.get('new_empty') or 0} of {found['prompts']} empty, {found.get('new_length') or 0:.0f} characters on "
        f"average; the champion's {found.get('champion_empty') or 0} and {found.get('champion_length') or 0:.0f}"
    )


def rewarded(found: Json | None) -> str:
    """The reward model's report as a line."""
    if not found:
        return "none"
    return (
        f"{wording.percent(found.get('accuracy'))} right on {found.get('pairs')} held-out pairs, calibration error "
        f"{found.get('calibration_error') or 0:.3f}, length correlation "
        f"{wording.signed(found.get('length_correlation') or 0)}"
    )


def decided(one: Json) -> None:
    """The gate's decision, with its reasons."""
    decision = one.get("decision")
    parts.title("Gate")
    if not decision:
        st.caption("Not decided yet.")
        return
    tone = "warn" if decision["decision"] == "rejected" else ""
    by = f"a person decided ({decision['by']})" if decision.get("override") else f"by {decision['by']}"
    when = f"{wording.clock(decision['at'], session.zone())}, {wording.ago(decision['at'], session.now())}"
    reasons = "".join(f"<li>{escape(reason)}</li>" for reason in decision["reasons"] or ["no reasons recorded"])
    st.html(
        f'<div class="pf-panel">{parts.badge(decision["decision"].replace("_", " "), tone)} '
        f'<span class="pf-who">{escape(by)}, {escape(when)}</span>'
        f'<ul class="pf-list" style="margin-top:.7rem">{reasons}</ul></div>'
    )


def lineage(model: str) -> None:
    """What made this model."""
    parts.title("Lineage", f"everything that made it: GET /v1/models/{model}/lineage")
    watched = session.watch(f"/v1/models/{session.part(model)}/lineage")
    if not parts.seen(watched, "lineage"):
        return
    found = watched.value
    steps = [("Run", str(found["run"])), ("Batch", str(found["batch"]))]
    steps += [(name.capitalize(), told(found[name])) for name in ("preferences", "judgments", "annotators", "outputs")]
    parts.facts(steps)


def told(found: Any) -> str:
    """A count with a few ids; lineage answers with a list of ids, or with count and ids."""
    if isinstance(found, int):
        return wording.count(found)
    ids = found.get("ids", []) if isinstance(found, dict) else found
    number = found.get("count", len(ids)) if isinstance(found, dict) else len(ids)
    few = ", ".join(str(identity) for identity in ids[:3])
    return f"{wording.count(number)}" + (f" ({few}{', …' if number > 3 else ''})" if few else "")


def actions(one: Json) -> None:
    """Promote this one, or go back to the champion before."""
    model, campaign = one["model"], one["campaign"]
    who, where = parts.plain(model), parts.plain(campaign)
    promote = (
        f"**{who}** becomes the champion of **{where}** at once, against or without the gate's decision. "
        "The gate's reasons stay on record, and yours beside them."
    )
    rollback = f"The champion of **{where}** before the present one serves again at once."
    with st.container(horizontal=True, horizontal_alignment="right"):
        parts.offer(
            Action(
                route="/v1/models/{model}/promote",
                names={"model": model},
                label="Promote",
                explained=promote,
                done=f"{who} is the champion",
                icon=":material/publish:",
            ),
            key="promote",
            disabled="It is the champion." if one["status"] == "champion" else "",
        )
        parts.offer(
            Action(
                route="/v1/campaigns/{name}/rollback",
                names={"name": campaign},
                label="Roll back",
                explained=rollback,
                done=f"{where} is back at the champion before",
                icon=":material/history:",
            ),
            key="rollback",
        )


def doubted(doubt: Json) -> str:
    """Why a model is in doubt, and what can be done."""
    said = []
    if doubt["pairs"]:
        said.append(f"{doubt['pairs']:,} of its {doubt['size']:,} training pairs rest on judgments taken back since.")
    if doubt["inherited_from"]:
        said.append(f"It was trained from {parts.plain(', '.join(doubt['inherited_from']))}, which is in doubt itself.")
    return " ".join([*said, "Train again on a new batch, or roll back."])


def detail(model: str) -> None:
    """One model."""
    watched = session.watch(f"/v1/models/{session.part(model)}")
    if not parts.seen(watched, "this model"):
        return
    one = watched.value
    tone = {"champion": "", "rejected": "warn"}.get(one["status"], "quiet")
    words, buttons = st.columns([2, 1], vertical_alignment="center")
    marks = parts.badge(one["status"], tone) + (parts.badge("in doubt", "warn") if one.get("doubt") else "")
    words.html(f'<h2 class="pf-title">Model {escape(model)} {marks}</h2>')
    with buttons:
        actions(one)
    if one.get("doubt"):
        st.warning(doubted(one["doubt"]), icon=":material/report:")
    left, right = st.columns([1.2, 1], gap="large")
    with left:
        examined(one["report"] or {})
    with right:
        decided(one)
        lineage(model)
        st.caption(f"Files at {one['uri']}")


def summary(runs: list[Json], models: list[Json], live: Json) -> None:
    """The tiles on top."""
    status = [row["status"] for row in models]
    under_way = sum(run["status"] in RUNNING for run in runs)
    champions = live.get("champion", {})
    first = next(iter(sorted(champions.items())), None)
    parts.tiles(
        [
            Tile(
                label="Champion",
                value=first[1] if first else "none yet",
                note=f"serves {first[0]}" + (f", and {len(champions) - 1} more" if len(champions) > 1 else "")
                if first
                else "",
            ),
            Tile(label="Runs", value=wording.count(len(runs)), note=f"{under_way} under way"),
            Tile(label="Models", value=wording.count(len(models))),
            Tile(label="Rejected at the gate", value=wording.count(status.count("rejected"))),
        ]
    )


@st.fragment(run_every="3s")
def live() -> None:
    """Head, tiles and runs, anew every three seconds."""
    runs, models = session.watch("/v1/runs"), session.watch("/v1/models")
    parts.head("Models", "Runs as they train, what the gate decided and why, and who serves.", runs, models)
    if not parts.seen(runs, "runs"):
        return
    parts.follow("models", [(row["model"], row["status"]) for row in (models.value or {}).get("models", [])])
    found = sorted(runs.value["runs"], key=lambda run: -(run["updated_at"] or 0))
    summary(found, (models.value or {}).get("models", []), session.watch("/v1/live").value or {})
    trained(found)


live()
shown = session.watch("/v1/models")
if shown.value is not None:
    parts.title("Models", "a row opens the model below")
    if shown.value["models"]:
        detail(table(shown.value["models"]))
    else:
        st.caption("None yet: a finished run brings one, and the gate examines it.")
