"""From a folder into a cluster and back: every event, state, row and key is the same, and nothing is computed anew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import Engine, select

from services.bootstrap import OneMachine, open_service
from services.cluster.composition import ClusterService, open_cluster
from services.cluster.processes import make_materializer
from services.migration.into_cluster import into_cluster, workers_of
from services.migration.out_of_cluster import out_of_cluster
from services.settings import Settings
from services.store import models as m
from services.store.schema import rows_of_views
from streams.engines.guarded import Kept
from streams.engines.kafka_connection import KafkaConnection
from streams.engines.kafka_reader import KafkaReader
from streams.engines.kafka_states import newest
from streams.engines.sqlite_log import rows_of
from streams.errors import ConflictError, UnavailableError
from streams.events import Campaign
from streams.topology import TOPOLOGY
from tests.integration.cluster import closing, empty, eventually, settings_of, working
from tests.integration.test_folding import without_numbers
from tests.integration.world import Clock, World, opened
from tests.services.redis import Redis

pytestmark = pytest.mark.slow


class BrokenError(Exception):
    """The migration dies here."""


def quiet(what: str, more: int) -> None:
    """Nobody looks."""


def breaking(at: str) -> Callable[[str, int], None]:
    def progress(what: str, more: int) -> None:
        if what == at:
            raise BrokenError

    return progress


@pytest.fixture
def settings(kafka: KafkaConnection, database_url: str, redis_server: Redis) -> Settings:
    return empty(settings_of(kafka, database_url, redis_server))


@pytest.fixture
def folder(tmp_path: Path) -> Settings:
    """A campaign with judged tasks, singles, a suspension."""
    path = tmp_path / "one"
    with opened(path, Clock()) as world:
        live(world)
    return Settings(data=path)


def live(world: World) -> None:
    campaign = {"rules": [{"overlap": 1}], "targets": {"posterior": 0.51}, "training": {"base_model": "m"}}
    assert world("lead", "PUT", "/v1/campaigns/default", campaign).status_code == 200
    for number in range(12):
        task = world.task(id=f"o-{number}", prompt=f"Question {number}?")
        judged = {"task": task["task"], "choice": "left", "revision": 1, "reason": "It is right."}
        assert world("annotator", "POST", "/v1/judgments", judged).status_code == 201
    world("producer", "POST", "/v1/outputs", {"id": "alone", "prompt": "Alone?", "responses": ["One."], "model": "m"})
    world("lead", "POST", "/v1/annotators/an_annotator/suspend", {"since": 1, "reason": "a test"})
    world.service.engine.drain()


class Contents:
    """What a folder holds."""

    def __init__(self, settings: Settings) -> None:
        service = open_service(settings)
        try:
            service.engine.drain()
            service.engine.stop()
            self.topics = {name: _topic(service, name) for name in TOPOLOGY.topics}
            self.states = set(service.store.reader.execute("SELECT stage, key, payload FROM engine_states"))
            self.views = without_numbers(list(rows_of_views(service.store.connection)))
            self.facts = facts(service.database)
            self.admissions = set(service.store.reader.execute("SELECT kind, identity, content_hash FROM admissions"))
        finally:
            service.close()


def _topic(service: OneMachine, name: str) -> set[tuple[str, bytes]]:
    return {(key, payload) for _, key, payload in rows_of(service.store.reader, name, 0, 10**9)}


def facts(database: Engine) -> list[str]:
    with database.connect() as sql:
        return sorted(repr(tuple(row)) for table in m.FACTS for row in sql.execute(select(table)))


def materialized(service: ClusterService) -> list[str]:
    """The rows of the views, once they are folded."""
    materializer = make_materializer(service)
    materializer.start()
    eventually(lambda: materializer.ready)
    materializer.stop()
    assert materializer.counts["doubles"] == materializer.counts["dead_letters"] == 0
    with service.database.connect() as sql:
        return without_numbers(list(rows_of_views(sql)))


def states_of(service: ClusterService) -> set[tuple[str, str, bytes]]:
    reader, found = KafkaReader(service.connection), set()
    for stage in TOPOLOGY.stages:
        for key, value in newest(reader.all(service.layout.states(stage))).items():
            state = _kept(value).state
            assert state is not None
            found.add((stage, key.decode(), bytes(state)))
    reader.close()
    return found


def _kept(value: bytes) -> Kept:
    return msgspec.json.decode(value, type=Kept)


def test_there_and_back_everything_is_the_same(folder: Settings, settings: Settings, tmp_path: Path) -> None:
    before = Contents(folder)
    assert all(before.topics[name] for name in ("texts", "outputs", "singles", "judgments", "preferences", "standings"))
    with closing(open_cluster(settings)) as service:
        for part in ("by-annotator", "outputs", "states of preferences", "keys"):
            with pytest.raises(BrokenError):
                into_cluster(folder, service, breaking(part))
        counts = into_cluster(folder, service, quiet)
        assert counts == {name: len(rows) for name, rows in before.topics.items()}
        assert states_of(service) == before.states
        assert facts(service.database) == before.facts
        assert materialized(service) == before.views
        with pytest.raises(ConflictError, match="finished"):
            into_cluster(folder, service, quiet)
    with working(settings), closing(open_cluster(settings)) as service:
        eventually(lambda: not any(service.engine.lag().values()))
    with closing(open_cluster(settings)) as service:
        assert materialized(service) == before.views, "a worker that joins applies nothing a second time"
        back = Settings(data=tmp_path / "back")
        for part in ("judgments", "states of tasks", "admissions"):
            with pytest.raises(BrokenError):
                out_of_cluster(service, back, breaking(part))
        assert out_of_cluster(service, back, quiet) == counts
    after = Contents(back)
    for name in ("topics", "states", "views", "facts", "admissions"):
        assert getattr(after, name) == getattr(before, name), name


def test_a_cluster_that_is_not_empty_or_at_work_is_refused(folder: Settings, settings: Settings) -> None:
    with closing(open_cluster(settings)) as service:
        materializer = make_materializer(service)
        materializer.start()
        eventually(lambda: materializer.ready)
        with pytest.raises(UnavailableError, match="materializer"):
            into_cluster(folder, service, quiet)
        materializer.stop()
        service.log.submit(lambda tx: tx.append(Campaign(id="c", name="own", version=1))).result()
        with pytest.raises(ConflictError, match="events of its own"):
            into_cluster(folder, service, quiet)


def test_a_worker_at_work_is_refused(folder: Settings, settings: Settings) -> None:
    with working(settings), closing(open_cluster(settings)) as service:
        eventually(lambda: workers_of(service))
        with pytest.raises(UnavailableError, match="workers"):
            into_cluster(folder, service, quiet)
