"""Runs every decision that has no single key, once a tick: batches, revocation, gate, sampler, crowd, priors."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from services.bootstrap import Service
from services.coordinator.batches import cut_due
from services.coordinator.calibration import RoundKeeper
from services.coordinator.crowd import Crowd
from services.coordinator.gate import decide_checkpoints
from services.coordinator.gold import GoldKeeper
from services.coordinator.priors import PriorKeeper
from services.coordinator.revocation import revoke
from services.coordinator.sampler import Sampler

SHARE = 0.1  # of one core that a part may take, however long the views have grown
OnError = Callable[[int, str, str], None]  # ms, where, message
_log = structlog.get_logger("coordinator")


class Coordinator:
    """Call `tick` each second, on one thread; `close` at the end.

    Nothing is kept here that the log and the views do not say, so a kill at any point costs at most a tick.
    """

    def __init__(
        self, service: Service, *, on_error: OnError | None = None, timer: Callable[[], float] = time.perf_counter
    ) -> None:
        self.sampler = Sampler(service)
        self._clock = service.clock
        self._on_error = on_error
        self._timer = timer
        self._rest_until: dict[str, float] = {}
        self._parts: dict[str, Callable[[], object]] = {
            "revocation": lambda: revoke(service),  # first: what is taken out must not go into a batch
            "gold": GoldKeeper(service=service).tick,
            "calibration": RoundKeeper(service=service).tick,
            "gate": lambda: decide_checkpoints(service),
            "batches": lambda: cut_due(service),
            "sampler": self.sampler.tick,
            "crowd": Crowd(service).tick,
            "priors": PriorKeeper(service).tick,
        }

    def tick(self) -> None:
        """Every part once; one that fails is logged and told and does not keep the others from their work."""
        for name, part in self._parts.items():
            if self._timer() >= self._rest_until.get(name, float("-inf")):
                self._run(name, part)

    def _run(self, name: str, part: Callable[[], object]) -> None:
        begin = self._timer()
        try:
            part()
        except Exception as error:
            message = f"{type(error).__name__}: {error}"
            _log.error("part failed", part=name, error=message, exc_info=True)
            if self._on_error:
                self._on_error(self._clock(), f"coordinator: {name}", message)
        end = self._timer()
        self._rest_until[name] = end + (end - begin) * (1 / SHARE - 1)

    def close(self) -> None:
        """Stops asking models."""
        self.sampler.close()
