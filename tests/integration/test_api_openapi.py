"""Schemathesis walks the OpenAPI document: whatever is sent, no 5xx, and errors in the documented form."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import Case
from starlette.testclient import TestClient

from services.api import auth
from services.api.app import create_app
from services.api.openapi import document
from services.api.routes import ENDPOINTS
from services.bootstrap import open_service
from services.settings import Settings

KEY = "plk_admin_secret"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder: Path = tmp_path_factory.mktemp("openapi")
    service = open_service(Settings(data=folder))
    new = auth.make_key("admin", "admin", annotator="an_admin", key=KEY)
    service.log.submit(lambda tx: auth.store_key(tx.sql, new, 1)).result()
    with TestClient(create_app(service), raise_server_exceptions=False) as client:
        yield client
    service.close()


schema = schemathesis.openapi.from_dict(msgspec.json.decode(msgspec.json.encode(document(ENDPOINTS, "test")())))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Skipped test cases")  # NDJSON: test_api_outputs.py sends it
@schema.parametrize()
@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_nothing_that_is_sent_breaks_it(case: Case[Any], client: TestClient) -> None:
    sent = case.as_transport_kwargs(base_url="http://testserver", headers={"Authorization": f"Bearer {KEY}"})
    if isinstance(sent.get("data"), bytes | str):
        sent["content"] = sent.pop("data")
    sent = {name: value for name, value in sent.items() if value and name != "cookies"}  # there are none
    answer = client.request(**sent)
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert set(answer.json()["error"]) == {"code", "message", "field", "mend"}
