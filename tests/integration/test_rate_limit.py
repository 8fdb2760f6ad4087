"""A limit of requests a key, as those who meet it see it."""

from __future__ import annotations

from pathlib import Path

from starlette.testclient import TestClient

from services.api import auth
from services.api.app import create_app
from services.api.roles import Role
from services.bootstrap import open_service
from services.settings import Settings
from tests.integration.world import KEYS, Clock, error_of


def test_who_asks_too_often_is_told_when_to_come_again(tmp_path: Path) -> None:
    service, clock = open_service(Settings(data=tmp_path, requests_per_minute=3)), Clock()
    service.clock = clock
    roles: tuple[Role, ...] = ("producer", "lead")
    for role in roles:
        new = auth.make_key(role, role, key=KEYS[role])
        service.log.submit(lambda tx, new=new: auth.store_key(tx.sql, new, 1)).result()  # type: ignore[misc]
    with TestClient(create_app(service)) as client:

        def ask(role: Role, path: str = "/v1/campaigns") -> int:
            return client.get(path, headers={"Authorization": f"Bearer {KEYS[role]}"}).status_code

        assert [ask("lead") for _ in range(3)] == [200, 200, 200]
        refused = client.get("/v1/campaigns", headers={"Authorization": f"Bearer {KEYS['lead']}"})
        assert error_of(refused, 429)["code"] == "too_many"
        assert refused.headers["Retry-After"] == "20"
        assert ask("producer") != 429
        assert ask("lead", "/healthz") == 200
        clock.now += 20_000
        assert ask("lead") == 200
    service.close()
