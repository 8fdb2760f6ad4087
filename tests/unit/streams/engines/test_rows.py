"""Many rows in one statement."""

from __future__ import annotations

import sqlite3

from hypothesis import given
from hypothesis import strategies as st

from streams.engines.rows import SIZES, insert


@given(rows=st.lists(st.tuples(st.integers(0, 9), st.text(max_size=2)), max_size=2 * SIZES[0] + SIZES[1] + 3))
def test_every_row_arrives_once_and_in_order(rows: list[tuple[int, str]]) -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, number INT, word TEXT)")
    insert(connection, "INSERT INTO t (number, word)", rows)
    assert connection.execute("SELECT number, word FROM t ORDER BY id").fetchall() == rows
    connection.close()
