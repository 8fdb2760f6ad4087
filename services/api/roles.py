"""Who may call what: the one table. A route that is not in it cannot be registered."""

from __future__ import annotations

from typing import Literal, get_args

Role = Literal["producer", "annotator", "adjudicator", "model", "lead", "engineer", "admin"]
Roles = frozenset[Role]

ALL: Roles = frozenset(get_args(Role))
PUBLIC: Roles = frozenset()  # needs no key


def _and_admin(*roles: Role) -> Roles:
    return frozenset((*roles, "admin"))


SEND = _and_admin("producer", "lead")
JUDGE = _and_admin("annotator", "adjudicator", "model")
SEE_TASK = _and_admin("annotator", "adjudicator", "model", "lead")
LEAD = _and_admin("lead")
ENGINEER = _and_admin("engineer")
WATCH = _and_admin("lead", "engineer")
ADMIN = _and_admin()

TABLE: dict[tuple[str, str], Roles] = {
    ("POST", "/v1/outputs"): SEND,
    ("POST", "/v1/signals"): _and_admin("producer"),
    ("POST", "/v1/scores"): _and_admin("producer", "engineer"),
    ("GET", "/v1/me"): ALL,
    ("POST", "/v1/me/appeal"): JUDGE,
    ("POST", "/v1/tasks/next"): JUDGE,
    ("GET", "/v1/tasks/{task}"): SEE_TASK,
    ("POST", "/v1/tasks/{task}/skip"): JUDGE,
    ("POST", "/v1/judgments"): JUDGE,
    ("GET", "/v1/judgments/{judgment}/lineage"): WATCH,
    ("GET", "/v1/outputs/{output}/lineage"): WATCH,
    ("GET", "/v1/campaigns"): WATCH,
    ("GET", "/v1/campaigns/{name}"): WATCH,
    ("PUT", "/v1/campaigns/{name}"): LEAD,
    ("GET", "/v1/campaigns/{name}/guideline"): ALL - {"producer"},
    ("GET", "/v1/campaigns/{name}/champion"): _and_admin("producer", "lead", "engineer"),
    ("POST", "/v1/campaigns/{name}/rollback"): ENGINEER,
    ("GET", "/v1/annotators"): WATCH,
    ("POST", "/v1/annotators"): LEAD,
    ("GET", "/v1/annotators/{annotator}"): WATCH,
    ("POST", "/v1/annotators/{annotator}/suspend"): LEAD,
    ("POST", "/v1/annotators/{annotator}/reinstate"): LEAD,
    ("GET", "/v1/annotators/{annotator}/quarantine"): WATCH,
    ("POST", "/v1/annotators/{annotator}/quarantine"): LEAD,
    ("GET", "/v1/annotators/{annotator}/evidence"): WATCH,
    ("GET", "/v1/alerts"): WATCH,
    ("GET", "/v1/campaigns/{name}/gold"): WATCH,
    ("POST", "/v1/campaigns/{name}/gold"): LEAD,
    ("GET", "/v1/campaigns/{name}/calibration"): WATCH,
    ("GET", "/v1/appeals"): LEAD,
    ("PUT", "/v1/annotators/{annotator}/attributes"): LEAD,
    ("GET", "/v1/quality"): WATCH,
    ("GET", "/v1/quality/agreement"): WATCH,
    ("GET", "/v1/quality/biases"): WATCH,
    ("GET", "/v1/quality/causes"): WATCH,
    ("GET", "/v1/quality/populations"): WATCH,
    ("GET", "/v1/quality/comparison"): WATCH,
    ("GET", "/v1/quality/next-point"): WATCH,
    ("GET", "/v1/preferences"): ENGINEER,
    ("GET", "/v1/batches"): WATCH,
    ("POST", "/v1/batches"): ENGINEER,
    ("GET", "/v1/batches/{batch}"): WATCH,
    ("GET", "/v1/batches/{batch}/diff"): WATCH,
    ("GET", "/v1/datasets/{batch}"): ENGINEER,
    ("GET", "/v1/runs"): WATCH,
    ("POST", "/v1/runs"): ENGINEER,
    ("POST", "/v1/runs/claim"): ENGINEER,
    ("GET", "/v1/runs/{run}"): WATCH,
    ("POST", "/v1/runs/{run}/progress"): ENGINEER,
    ("POST", "/v1/runs/{run}/finish"): ENGINEER,
    ("POST", "/v1/runs/{run}/fail"): ENGINEER,
    ("GET", "/v1/models"): WATCH,
    ("GET", "/v1/models/{model}"): WATCH,
    ("GET", "/v1/models/{model}/lineage"): WATCH,
    ("POST", "/v1/models/{model}/promote"): ENGINEER,
    ("GET", "/v1/live"): WATCH,
    ("GET", "/v1/dead_letters"): WATCH,
    ("POST", "/v1/dead_letters/{offset}/replay"): ENGINEER,
    ("GET", "/v1/keys"): ADMIN,
    ("POST", "/v1/keys"): ADMIN,
    ("DELETE", "/v1/keys/{key_id}"): ADMIN,
    ("GET", "/healthz"): PUBLIC,
    ("GET", "/readyz"): PUBLIC,
    ("GET", "/metrics"): PUBLIC,
}
