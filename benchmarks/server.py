"""A real `prefloop up` to measure, and what the benchmarks ask it."""

from __future__ import annotations

from pathlib import Path

from services.spawned import SpawnedService

ADMIN_KEY = "plk_benchmark_0123456789abcdef0123456789abcdef"


class Server(SpawnedService):
    """The service over a fresh folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, ADMIN_KEY, environment={"PREFLOOP_LOG_LEVEL": "error"})

    @property
    def megabytes(self) -> float:
        """Resident memory of the service."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    def annotators(self, count: int) -> list[str]:
        """Keys of so many new annotators."""
        return [
            str(self.http.post("/v1/annotators", json={"name": f"annotator {number}"}).raise_for_status().json()["key"])
            for number in range(count)
        ]

    def events(self, topic: str) -> int:
        """Events in the topic so far."""
        return int(self.http.get("/v1/live").json()["topics"][topic]["events"])

    def lag(self) -> int:
        """Events that some stage or view has not applied yet."""
        return int(sum(self.http.get("/v1/live").json()["lag"].values()))
