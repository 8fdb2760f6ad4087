"""`prefloop` with a bug planted: its engine breaks as soon as the log holds an output."""

from services.cli import main
from streams.engines.embedded import EmbeddedEngine, Job

_transact = EmbeddedEngine._transact


def _breaking(engine: EmbeddedEngine, jobs: list[Job]) -> bool:
    if engine._log.ends["outputs"]:
        raise RuntimeError("planted")
    return _transact(engine, jobs)


EmbeddedEngine._transact = _breaking  # type: ignore[assignment, method-assign]

if __name__ == "__main__":
    main()
