"""`make bench`: every table, one after the other."""

from __future__ import annotations

from benchmarks import alarms, crowds, injected, one_machine, quality, routing


def main() -> None:
    """Speed of one machine, the statistics on real judgments, what a crowd costs and how it waits, alarms."""
    one_machine.main()
    quality.main()
    crowds.main([])
    routing.main([])
    alarms.main()
    injected.main()


if __name__ == "__main__":
    main()
