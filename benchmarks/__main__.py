"""`make bench`: every table, one after the other."""

from __future__ import annotations

from benchmarks import injected, one_machine, quality


def main() -> None:
    """Speed of the one-machine service, the statistics, then bad annotators among real ones."""
    one_machine.main()
    quality.main()
    injected.main()


if __name__ == "__main__":
    main()
