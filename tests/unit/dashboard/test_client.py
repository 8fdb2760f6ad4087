import json
from collections.abc import Callable, Iterator

import httpx
import pytest

from dashboard.client import Client, RefusedError
from streams.errors import UnavailableError
from tests.unit.dashboard.stub import Stub


def client(respond: httpx.MockTransport) -> Client:
    return Client(httpx.Client(base_url="http://service", transport=respond))


def answering(status: int, body: object) -> Client:
    return client(httpx.MockTransport(lambda request: httpx.Response(status, json=body)))


def test_sends_the_key_as_a_header_and_never_in_the_address() -> None:
    seen: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={})

    client(httpx.MockTransport(respond)).get("plk_secret", "/v1/live", limit=3)
    assert seen[0].headers["authorization"] == "Bearer plk_secret"
    assert "plk_secret" not in str(seen[0].url)
    assert seen[0].url.params["limit"] == "3"


def test_a_refusal_carries_what_the_service_said() -> None:
    error = {"error": {"code": "forbidden", "message": "leads only", "field": "", "mend": "ask a lead"}}
    with pytest.raises(RefusedError, match="leads only") as raised:
        answering(403, error).post("k", "/v1/annotators/a/suspend", {"reason": "x"})
    assert (raised.value.status, raised.value.code, raised.value.mend) == (403, "forbidden", "ask a lead")


def test_a_refusal_without_the_documented_body_is_still_one() -> None:
    with pytest.raises(RefusedError, match="HTTP 500") as raised:
        answering(500, ["what"]).get("k", "/v1/live")
    assert "PREFLOOP_SERVER" in raised.value.mend


def test_a_page_of_something_else_is_told_as_such() -> None:
    page = client(httpx.MockTransport(lambda _: httpx.Response(200, text="<html>sign in</html>")))
    asked: list[Callable[[], object]] = [
        lambda: page.get("k", "/v1/live"),
        lambda: page.post("k", "/v1/live", {}),
        lambda: page.put("k", "/v1/live", {}),
    ]
    for ask in asked:
        with pytest.raises(RefusedError, match="no JSON from /v1/live") as raised:
            ask()
        assert "PREFLOOP_SERVER" in raised.value.mend


@pytest.mark.parametrize("status", [502, 503, 504, 507])
def test_an_outage_is_told_from_a_refusal(status: int) -> None:
    with pytest.raises(UnavailableError, match=f"answers {status} for now"):
        answering(status, {}).get("k", "/v1/live")
    with pytest.raises(UnavailableError, match=f"answers {status} for now: the disk is full"):
        answering(status, {"error": {"code": "x", "message": "the disk is full"}}).get("k", "/v1/live")


def test_a_service_that_cannot_be_reached_is_an_outage() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    unreachable = client(httpx.MockTransport(refuse))
    with pytest.raises(UnavailableError, match=r"at http://service \(refused\): start it .*PREFLOOP_SERVER"):
        unreachable.get("k", "/v1/live")
    with pytest.raises(UnavailableError):
        unreachable.first_lines("k", "/v1/datasets/b", 3)
    assert not unreachable.healthy("/healthz")


def test_an_action_may_take_its_time_and_a_page_may_not() -> None:
    """A batch of a large campaign is weighed again for ten seconds when it is cut."""
    patience = {}

    def answer(request: httpx.Request) -> httpx.Response:
        patience[request.method] = request.extensions["timeout"]["read"]
        return httpx.Response(200, json={})

    service = client(httpx.MockTransport(answer))
    service.get("k", "/v1/live")
    service.post("k", "/v1/batches", {})
    service.put("k", "/v1/campaigns/c", {})
    service.delete("k", "/v1/keys/k")
    assert min(patience[method] for method in ("POST", "PUT", "DELETE")) >= 60
    assert patience["GET"] <= 5


def test_a_service_that_is_slow_is_not_called_away() -> None:
    def slow(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("timed out")

    with pytest.raises(UnavailableError, match=r"has not answered .* within 60 s.*look what became of it"):
        client(httpx.MockTransport(slow)).post("k", "/v1/batches", {})
    with pytest.raises(UnavailableError, match=r"has not answered .* within 5 s.*busy"):
        client(httpx.MockTransport(slow)).get("k", "/v1/live")


def test_pages_follows_the_list_to_its_end() -> None:
    rows = [{"annotator": f"a{n:05d}"} for n in range(2_300)]

    def respond(request: httpx.Request) -> httpx.Response:
        after = request.url.params.get("after", "")
        page = [row for row in rows if row["annotator"] > after][: int(request.url.params["limit"])]
        return httpx.Response(200, json={"annotators": page})

    found = client(httpx.MockTransport(respond)).pages("k", "/v1/annotators", "annotators", "annotator")
    assert found == rows


def test_pages_stops_at_its_bound() -> None:
    endless = answering(200, {"annotators": [{"annotator": "a"}] * 1_000})
    assert len(endless.pages("k", "/v1/annotators", "annotators", "annotator", most=2_500)) == 2_500


def test_first_lines_leaves_the_rest_unread() -> None:
    read = 0

    def lines() -> "list[bytes]":
        return [json.dumps({"n": n}).encode() + b"\n" for n in range(1_000)]

    class Counting(httpx.SyncByteStream):
        def __iter__(self):  # type: ignore[no-untyped-def]
            nonlocal read
            for line in lines():
                read += 1
                yield line

    transport = httpx.MockTransport(lambda request: httpx.Response(200, stream=Counting()))
    assert client(transport).first_lines("k", "/v1/datasets/b", 3) == [{"n": 0}, {"n": 1}, {"n": 2}]
    assert read < 10


def test_a_row_is_never_cut_at_a_character_of_its_texts() -> None:
    rows = ['{"text":"a\u2028b\u0085c\x0cd"}', '{"n":1}']
    body = "\n\n".join(rows).encode()

    class Split(httpx.SyncByteStream):
        def __iter__(self) -> "Iterator[bytes]":
            yield from (body[at : at + 1] for at in range(len(body)))

    transport = httpx.MockTransport(lambda _: httpx.Response(200, stream=Split()))
    assert list(client(transport).lines("k", "/v1/datasets/b")) == rows


def test_first_lines_tells_a_refusal() -> None:
    with pytest.raises(RefusedError, match="not known"):
        client(Stub().transport()).first_lines("wrong", "/v1/datasets/b", 3)
