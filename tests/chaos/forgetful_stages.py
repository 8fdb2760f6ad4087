"""`prefloop` with a bug planted: no stage keeps its states and places, so that a kill makes it begin anew."""

from services.cli import main
from streams.engines.consumers import StageConsumer
from streams.engines.sqlite_log import SqliteTransaction


def _forget(consumer: StageConsumer, transaction: SqliteTransaction) -> None:
    consumer._moved.clear()
    consumer._touched.clear()


StageConsumer.save = _forget  # type: ignore[method-assign, assignment]

if __name__ == "__main__":
    main()
