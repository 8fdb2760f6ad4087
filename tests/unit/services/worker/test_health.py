"""What a worker tells of itself."""

from __future__ import annotations

import httpx

from services.worker.health import probe


class Told:
    def __init__(self, *, ready: bool) -> None:
        self._ready = ready

    def is_ready(self) -> bool:
        return self._ready

    def lag(self) -> dict[str, int]:
        return {"tasks": 3}

    def counts(self) -> dict[str, dict[str, int]]:
        return {"tasks": {"steps": 7, "doubles": 1}}

    def partitions(self) -> int:
        return 2


def test_a_ready_worker_says_so() -> None:
    with probe(Told(ready=True), "127.0.0.1", 0) as health:
        assert httpx.get(f"http://127.0.0.1:{health.port}/readyz").status_code == 200


def test_a_worker_that_recovers_is_alive_and_not_ready() -> None:
    with probe(Told(ready=False), "127.0.0.1", 0) as health:
        answer = httpx.get(f"http://127.0.0.1:{health.port}/readyz")
        assert (answer.status_code, "restored" in answer.json()["reason"]) == (503, True)
        assert httpx.get(f"http://127.0.0.1:{health.port}/healthz").status_code == 200
        assert httpx.get(f"http://127.0.0.1:{health.port}/other").status_code == 404


def test_metrics_have_the_names_of_the_others() -> None:
    with probe(Told(ready=True), "127.0.0.1", 0, restarts=4) as health:
        text = httpx.get(f"http://127.0.0.1:{health.port}/metrics").text
    assert 'prefloop_lag_events{reader="tasks"} 3.0' in text
    assert 'prefloop_stage_events_total{became="doubles",stage="tasks"} 1.0' in text
    assert "prefloop_worker_restarts_total 4.0" in text
    assert "prefloop_ready 1.0" in text
