"""`make bench`: every table, one after the other."""

from __future__ import annotations

from benchmarks import crowds, injected, one_machine, quality


def main() -> None:
    """Speed of one machine, the statistics on real judgments, what a crowd costs, bad annotators among real ones."""
    one_machine.main()
    quality.main()
    crowds.main([])
    injected.main()


if __name__ == "__main__":
    main()
