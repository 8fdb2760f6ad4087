"""What is known of annotators beside their judgments (vendor, cohort, source): facts of the service, not of the log."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, delete, insert

from services.store import models as m


def set_attributes(sql: Connection, annotator: str, attributes: Mapping[str, str]) -> None:
    """All attributes of the annotator; those that are not named are taken away."""
    table = m.annotator_attributes
    sql.execute(delete(table).where(table.c.annotator == annotator))
    rows = [{"annotator": annotator, "name": name, "value": value} for name, value in attributes.items()]
    if rows:
        sql.execute(insert(table), rows)
