"""What leads see of quality, over PostgreSQL as over SQLite: every report, the dry run, the quarantine and its undo.

One log, with views in both: the engine folds it into SQLite, the materializer's folding into PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy
from msgspec.structs import replace
from sqlalchemy import insert, select
from starlette.testclient import TestClient

from services.api.app import create_app
from services.bootstrap import Service
from services.cluster.reads import ClusterReads
from services.coordinator.batches import cut_now
from services.coordinator.calibration import RoundKeeper
from services.coordinator.gold import GoldKeeper
from services.coordinator.revocation import revoke
from services.materializer.folding import Folding
from services.queue.memory import MemoryQueue
from services.queue.rebuild import ViewArchive
from services.store import models as m
from services.store.database import open_postgres, transaction
from services.store.postgres_schema import migrate
from streams import events as e
from streams.topology import TOPOLOGY
from tests.integration import test_analysis, test_quarantine
from tests.integration.test_folding import LAYOUT, Sent, no_letters
from tests.integration.test_gold import campaign, decided
from tests.integration.test_quarantine import NOW, TURNED_AT, dry_run, quarantine, reinstate
from tests.integration.world import Clock, World, append, opened
from tests.services.postgres import Postgres

pytestmark = pytest.mark.slow
OWN = (m.keys, m.annotators, m.annotator_attributes)  # written by the API itself, not folded from the log


class Beside:
    """The same service over views in PostgreSQL."""

    def __init__(self, world: World, database: sqlalchemy.Engine) -> None:
        self._one = world.service
        self._database = database
        self._sent, self._folding = Sent(), Folding(database, LAYOUT)
        self._folding.reload()
        self._places = dict.fromkeys(TOPOLOGY.topics, 0)
        self._copy_own()
        self.service = Service(
            settings=self._one.settings,
            store=ClusterReads(lambda: world.service.store, database, TOPOLOGY),  # type: ignore[arg-type, return-value]
            log=self._one.log,
            engine=self._one.engine,
            database=database,
            queue=MemoryQueue(ViewArchive(database, self._one.engine.lag)),
            is_alone=False,
            clock=self._one.clock,
        )

    def catch_up(self) -> None:
        """Folds what the log holds more than before, topic by topic: a cluster promises no other order.

        Origins are places of one machine's log; as in a migration, nothing in PostgreSQL is measured by them.
        """
        self._one.engine.drain()
        for topic, place in self._places.items():
            records = self._one.store.read(topic, place, 1_000_000)
            events = [replace(record.event, origin=None) for record in records]
            assert self._folding.fold(self._sent(*events), no_letters).doubles == 0
            self._places[topic] = self._one.store.end(topic)

    def _copy_own(self) -> None:
        with self._one.database.connect() as source, self._database.connect() as sql, transaction(sql):
            for table in OWN:
                if rows := source.execute(select(table)).mappings().all():
                    sql.execute(insert(table), [dict(row) for row in rows])


class Pair:
    """A world over SQLite, and one over PostgreSQL beside it."""

    def __init__(self, lite: World, postgres: World, beside: Beside) -> None:
        self.lite, self.postgres, self._beside = lite, postgres, beside

    def both(self, path: str) -> Any:
        """What both answer, which must be the same."""
        self._beside.catch_up()
        lite, postgres = (world("lead", "GET", path) for world in (self.lite, self.postgres))
        assert lite.status_code == 200, lite.text
        assert postgres.status_code == 200, postgres.text
        assert postgres.json() == lite.json(), path
        return lite.json()

    def settle(self) -> int:
        """What the coordinator's ticks do, reading PostgreSQL, until nothing is left."""
        total = 0
        self._beside.catch_up()
        while changed := revoke(self.postgres.service):
            total += changed
            self._beside.catch_up()
        return total


@contextmanager
def beside(world: World, postgres: Postgres) -> Iterator[Pair]:
    database = open_postgres(postgres.create_database())
    migrate(database)
    second = Beside(world, database)
    second.catch_up()
    with TestClient(create_app(second.service), raise_server_exceptions=False) as client:
        yield Pair(world, World(second.service, client), second)
    database.dispose()


def history() -> Sequence[e.Event]:
    """Judgments with tags and vendors, mallory's campaign, gold that can grow, and somebody's alerts."""
    return [
        *test_quarantine.crowd(),
        *(test_analysis.task(number) for number in range(test_analysis.ITEMS)),
        *test_analysis.judged(),
        *decided("x"),
        e.Alert(id="al", alert="al", annotator="mallory", hypothesis="accuracy", since=TURNED_AT, ingested_at=NOW),
    ]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> Iterator[Pair]:
    with opened(tmp_path_factory.mktemp("quality"), Clock()) as world:
        campaign(world, gold={"grow": True, "exposure_cap": 2}, calibration={"tasks": 5, "every_days": 7})
        append(world.service, *history())
        for who in range(test_analysis.PEOPLE):
            vendor = {"attributes": {"vendor": "north" if who % 2 else "south"}}
            assert world("lead", "PUT", f"/v1/annotators/an{who}/attributes", vendor).status_code == 200
        with beside(world, postgres) as found:
            yield found


def trained(world: World) -> str:
    """A batch with a run and a model of it; its id."""
    batch = cut_now(world.service, "default").batch
    append(
        world.service,
        e.RunUpdate(id="r", run="r", batch=batch, status="requested"),
        e.Checkpoint(id="k", model="m1", run="r", batch=batch, parent="", uri="u", ingested_at=NOW),
    )
    return batch


REPORTS = (
    "/v1/quality",
    "/v1/quality?campaign=default&tag=domain",
    "/v1/quality/agreement",
    "/v1/quality/biases?campaign=default",
    "/v1/quality/causes",
    "/v1/quality/populations",
    "/v1/quality/comparison?price_one=0.2&price_other=0.1",
    "/v1/quality/comparison?by=cohort",
    "/v1/quality/next-point",
)


@pytest.mark.parametrize("path", REPORTS)
def test_a_report_is_the_same(pair: Pair, path: str) -> None:
    assert pair.both(path)


def test_the_reports_are_of_something(pair: Pair) -> None:
    """Two empty answers would be equal too."""
    assert pair.both("/v1/quality/agreement")["judgments"] > 500
    assert pair.both("/v1/quality/causes")["causes"]
    assert pair.both("/v1/quality/comparison?price_one=0.2&price_other=0.1")["comparison"]["items"] > 50
    assert pair.both("/v1/quality/next-point")["outlook"]["tasks"] > 50
    assert pair.both("/v1/annotators/mallory/evidence")["tests"]


def test_gold_grows_and_a_calibration_round_begins_from_what_postgresql_says(pair: Pair) -> None:
    gold, rounds = GoldKeeper(service=pair.postgres.service), RoundKeeper(service=pair.postgres.service)
    assert (gold.tick(), rounds.tick()) == (1, 5)
    (item,) = pair.both("/v1/campaigns/default/gold")["items"]
    assert item["grown_from"] == "x"
    assert (gold.tick(), rounds.tick()) == (0, 0)
    (begun,) = pair.both("/v1/campaigns/default/calibration")["rounds"]
    copies = [row.event for row in pair.lite.service.store.read("tasks") if "calibration" in row.event.tags]  # type: ignore[attr-defined]
    for number, copy in enumerate(copies):
        told = [test_quarantine.judgment(copy.task, who, "ab"[number % 2], NOW) for who in ("an0", "an1")]  # type: ignore[arg-type, attr-defined]
        append(pair.lite.service, *told)
    (judged,) = pair.both("/v1/campaigns/default/calibration")["rounds"]
    assert (begun["judgments"], judged["judgments"], judged["alpha"]["value"]) == (0, 10, 1.0)


def test_quarantine_and_undo_are_the_same_and_leave_every_verdict_as_it_was(pair: Pair) -> None:
    batch, path = trained(pair.lite), "/v1/annotators/mallory/quarantine"
    before = test_quarantine.verdicts(pair.lite)
    found = pair.both(path)
    assert found["since"] == TURNED_AT
    assert any(found["verdicts"][change] for change in ("turned", "lost", "reached"))
    assert [one["model"] for one in found["models"]] == ["m1"]
    assert pair.both(f"{path}?since=ever&brief=1")["judgments"]["count"] == test_quarantine.TASKS

    quarantine(pair.postgres)
    assert pair.settle() == found["judgments"]["count"]
    assert pair.both(f"{path}?since={TURNED_AT}")["judgments"]["count"] == 0
    after = test_quarantine.verdicts(pair.postgres)
    assert after == test_quarantine.verdicts(pair.lite) != before
    assert all(after[row["task"]][0] == row["verdict_after"] for row in found["verdicts"]["rows"])
    assert pair.both(f"/v1/batches/{batch}/diff")["same"] < pair.both(f"/v1/batches/{batch}")["size"]
    assert pair.both("/v1/models")["models"][0]["doubt"]["pairs"] > 0
    back = pair.both(f"{path}?undo=1")
    assert back["judgments"]["count"] == found["judgments"]["count"]

    reinstate(pair.postgres)
    assert pair.settle() == back["judgments"]["count"]
    assert test_quarantine.verdicts(pair.postgres) == test_quarantine.verdicts(pair.lite) == before
    assert dry_run(pair.postgres, "?undo=1") == pair.both(f"{path}?undo=1")
    assert pair.both("/v1/models")["models"][0]["doubt"] is None
