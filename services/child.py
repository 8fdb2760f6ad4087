"""Runs a module as a child that dies with its parent: `python -m services.child MODULE [ARGUMENT...]`.

The parent holds the other end of standard input. When the parent is gone, even by kill -9, the pipe closes and
the child ends: nothing is left behind that holds a port or a GPU.
"""

from __future__ import annotations

import os
import runpy
import sys
import threading

PIPE = 0  # standard input


def _end_with_parent() -> None:
    while os.read(PIPE, 1024):  # not through sys.stdin: a thread that holds its lock aborts a process that ends itself
        pass
    os._exit(0)


def main() -> None:
    """Watches the pipe and runs the module as if by `python -m`."""
    threading.Thread(target=_end_with_parent, name="parent watch", daemon=True).start()
    module = sys.argv[1]
    sys.argv = sys.argv[1:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
