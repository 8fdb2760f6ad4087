"""Rebuilding the views from the log gives the same views."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import text

from services.bootstrap import open_service
from services.settings import Settings
from services.store.schema import drop_views, prepare, rows_of_views
from tests.unit.services.store.test_projection import LIFE


def test_a_rebuild_gives_the_same_views(tmp_path: Path) -> None:
    service = open_service(Settings(data=tmp_path))
    for event in LIFE:
        service.log.submit(lambda transaction, event=event: transaction.append(event)).result()  # type: ignore[misc]
    service.engine.drain()
    before = list(rows_of_views(service.store.connection))
    service.close()
    service = open_service(Settings(data=tmp_path), fresh_views=True)
    service.engine.drain()
    assert list(rows_of_views(service.store.connection)) == before
    assert len(before) > len(LIFE) / 2
    service.close()


def test_views_of_another_version_are_folded_again(tmp_path: Path) -> None:
    service = open_service(Settings(data=tmp_path))
    service.log.submit(lambda transaction: transaction.append(LIFE[0])).result()
    service.engine.drain()
    service.close()
    service = open_service(Settings(data=tmp_path))
    sql = service.store.connection
    assert not prepare(sql)
    sql.execute(text("UPDATE schema_versions SET version = 'old'"))
    service.close()
    service = open_service(Settings(data=tmp_path))
    service.engine.drain()
    assert [name for name, _ in rows_of_views(service.store.connection)] == ["campaigns"]
    service.close()


def test_dropping_views_keeps_the_facts(tmp_path: Path) -> None:
    service = open_service(Settings(data=tmp_path))
    service.log.submit(lambda transaction: transaction.admit("output", "o1", "h")).result()
    service.engine.stop()
    drop_views(service.store.connection)
    assert service.store.connection.execute(text("SELECT count(*) FROM admissions")).scalar() == 1
    service.close()
