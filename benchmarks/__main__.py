"""`make bench`: every table, one after the other."""

from __future__ import annotations

from benchmarks import one_machine, quality


def main() -> None:
    """Speed of the one-machine service, then the statistics."""
    one_machine.main()
    quality.main()


if __name__ == "__main__":
    main()
