"""Metrics as Prometheus reads them."""

from __future__ import annotations

from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from services.api.metrics import Metrics, Sources
from services.queue.port import QueueCounts


def samples(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(metrics.text().decode())
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def metrics_of(folder: Path) -> Metrics:
    return Metrics(
        Sources(
            queue=lambda: QueueCounts(open=3, leased=2, escalated=1),
            ready=lambda: True,
            lag=lambda: {"views": 7},
            events=lambda: {"outputs": 9, "dead_letters": 2},
            alerts=lambda: {"speed": 4},
            errors=lambda: {"coordinator: gate": 5},
            folder=folder,
        )
    )


def test_every_number_under_its_name(tmp_path: Path) -> None:
    (tmp_path / "prefloop.sqlite3").write_bytes(b"x" * 10)
    (tmp_path / "prefloop.sqlite3-wal").write_bytes(b"x" * 5)
    metrics = metrics_of(tmp_path)
    metrics.observe("POST", "/v1/outputs", 201, 0.004)
    found = samples(metrics)
    post = (("method", "POST"), ("path", "/v1/outputs"))
    expected = {
        ("prefloop_queue_tasks", (("status", "open"),)): 3,
        ("prefloop_queue_tasks", (("status", "escalated"),)): 1,
        ("prefloop_queue_leases", ()): 2,
        ("prefloop_ready", ()): 1,
        ("prefloop_lag_events", (("reader", "views"),)): 7,
        ("prefloop_events_total", (("topic", "outputs"),)): 9,
        ("prefloop_dead_letters_total", ()): 2,
        ("prefloop_alerts_total", (("hypothesis", "speed"),)): 4,
        ("prefloop_errors_total", (("where", "coordinator: gate"),)): 5,
        ("prefloop_database_bytes", ()): 15,
        ("prefloop_http_requests_total", (*post, ("status", "201"))): 1,
        ("prefloop_http_request_duration_seconds_count", post): 1,
        ("prefloop_http_request_duration_seconds_bucket", (("le", "0.0025"), *post)): 0,
        ("prefloop_http_request_duration_seconds_bucket", (("le", "0.005"), *post)): 1,
    }
    assert {name: found[name] for name in expected} == expected
    assert found["prefloop_disk_free_bytes", ()] > 0
    assert found["process_resident_memory_bytes", ()] > 0
