"""Many rows in one statement of SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import cache
from itertools import chain
from typing import Any

SIZES = (256, 64, 16, 4, 1)  # rows a statement: few texts, so that SQLite parses each of them once


def insert(connection: sqlite3.Connection, head: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Inserts all rows; `head` is `INSERT INTO table (columns)`, or the same with `OR REPLACE`.

    sqlite3 lets go of the interpreter at every statement, and a busy event loop then keeps it for a whole switch
    interval: the fewer statements, the sooner the commit.
    """
    start = 0
    for size in SIZES:
        while len(rows) - start >= size:
            piece = chain.from_iterable(rows[start : start + size])
            connection.execute(_statement(head, len(rows[0]), size), tuple(piece))
            start += size


@cache
def _statement(head: str, width: int, rows: int) -> str:
    row = f"({','.join('?' * width)})"
    return f"{head} VALUES {','.join([row] * rows)}"
