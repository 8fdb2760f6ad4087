from __future__ import annotations

from collections.abc import Iterator
from email.utils import formatdate

import pytest

from prefloop_sdk.delivery import Delivery, ServiceAwayError
from prefloop_sdk.entries import Entry, output_entry, signal_entry
from tests.local_service import Answer, LocalService, refusal


@pytest.fixture
def delivery(service: LocalService) -> Iterator[Delivery]:
    made = Delivery(service.url + "/", "plk_test", 5.0)
    yield made
    made.close()


def outputs(*prompts: str) -> list[Entry]:
    return [output_entry(f"o{n}", prompt, ["r"], None) for n, prompt in enumerate(prompts)]


def test_a_batch_is_one_request_and_known_again(service: LocalService, delivery: Delivery) -> None:
    assert delivery.send(outputs("p", "q"))[:3] == (2, 0, 0)
    assert delivery.send(outputs("p", "q", "r"))[:3] == (1, 2, 0)
    assert service.requests == [("/v1/outputs", 2), ("/v1/outputs", 3)]
    assert service.keys == {"Bearer plk_test"}


def test_outputs_and_signals_keep_their_order(service: LocalService, delivery: Delivery) -> None:
    one, two = outputs("p", "q")
    thumb = signal_entry("s1", "o0", "thumbs_up")
    assert delivery.send([one, thumb, two, thumb])[:3] == (3, 1, 0)
    assert [path for path, _ in service.requests] == ["/v1/outputs", "/v1/signals", "/v1/outputs", "/v1/signals"]


def test_errors_of_single_items_are_told(service: LocalService, delivery: Delivery) -> None:
    tally = delivery.send(outputs("p", "bad", "q"))
    assert tally[:3] == (2, 0, 1)
    assert tally.faults == ("o1: bad prompt (send a better one)",)


@pytest.mark.parametrize("answer", [refusal(400, "bad_request"), refusal(422, "invalid"), Answer(413, "too large")])
def test_a_refused_request_is_split_until_the_one_that_spoils_it(
    service: LocalService, delivery: Delivery, answer: Answer
) -> None:
    fine = Answer(200, '{"accepted": 1, "duplicates": 0, "rejected": 0, "errors": []}')
    service.script.extend([answer, fine, answer, answer, fine])  # all 3, the first, the other 2, each of them
    assert delivery.send(outputs("p", "q", "r"))[:3] == (2, 0, 1)
    assert [count for _, count in service.requests] == [3, 1, 2, 1, 1]


@pytest.mark.parametrize(
    "answer",
    [
        refusal(401, "unauthorized"),
        refusal(403, "forbidden"),
        Answer(404, "<html>no such page</html>"),
        Answer(302, "", {"Location": "/login"}),
        refusal(429, "too_many"),
        Answer(500, "oops"),
        refusal(503, "unavailable"),
        refusal(507, "storage_full"),
        Answer(200, "<html>please sign in</html>"),
        Answer(200, "[]"),
        Answer(200, "{}"),
        Answer(200, '{"accepted": 1, "duplicates": 0, "rejected": 0, "errors": []}'),
    ],
)
def test_what_is_no_word_about_the_content_is_worth_another_try(
    service: LocalService, delivery: Delivery, answer: Answer
) -> None:
    service.script.append(answer)
    with pytest.raises(ServiceAwayError):
        delivery.send(outputs("p", "q"))
    assert delivery.send(outputs("p", "q")).sent == 2


def test_nobody_at_the_address(delivery: Delivery, service: LocalService) -> None:
    service.close()
    with pytest.raises(ServiceAwayError, match="ConnectError"):
        delivery.send(outputs("p"))


@pytest.mark.parametrize("url", ["", "nonsense", "http://[", "ftp://x"])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(ServiceAwayError):
        Delivery(url, "plk_test", 1.0).send(outputs("p"))


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [
        ("7", 7, 7),
        (formatdate(4e9, usegmt=True), 300, 300),
        (formatdate(0, usegmt=True), 0, 0),
        ("9999999", 300, 300),
        ("soon", 0, 0),
    ],
)
def test_retry_after_in_both_its_forms(
    service: LocalService, delivery: Delivery, header: str, least: float, most: float
) -> None:
    service.script.append(refusal(503, "unavailable", Retry_After=header))
    with pytest.raises(ServiceAwayError) as caught:
        delivery.send(outputs("p"))
    assert least <= caught.value.retry_after <= most


def test_a_signal_that_can_never_be_taken(service: LocalService, delivery: Delivery) -> None:
    service.script.append(refusal(404, "not_found"))
    assert delivery.send([signal_entry("s", "nowhere", "retry")]) == (0, 0, 1, ("no (do)",))
