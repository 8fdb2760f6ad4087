"""Settings: options over variables over defaults; a bad value is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.settings import Settings, read_settings, require_cluster
from streams.errors import SettingsError


def test_options_win_over_variables_over_defaults() -> None:
    settings = read_settings({"PREFLOOP_PORT": "9000", "PREFLOOP_DATA": "/x"}, port=9001)
    assert settings == Settings(data=Path("/x"), port=9001)


@pytest.mark.parametrize(
    ("variable", "value"),
    [("PREFLOOP_PORT", "http"), ("PREFLOOP_PORT", "70000"), ("PREFLOOP_LOG_LEVEL", "loud"), ("PREFLOOP_PORT", "-1")],
)
def test_a_bad_value_is_named_with_its_key_and_what_is_allowed(variable: str, value: str) -> None:
    with pytest.raises(SettingsError, match=rf"{variable} is '?{value}") as caught:
        read_settings({variable: value})
    assert any(word in str(caught.value) for word in ("wanted", "allowed"))


def test_an_empty_variable_is_none() -> None:
    empty = {f"PREFLOOP_{name}": "" for name in ("DATA", "HOST", "PORT", "PUBLIC_URL", "LOG_LEVEL", "KAFKA")}
    assert read_settings(empty) == Settings()


def test_the_address_for_people_begins_as_one_and_ends_without_a_slash() -> None:
    assert read_settings({"PREFLOOP_PUBLIC_URL": "https://a.example.com/judge/"}).public_url == (
        "https://a.example.com/judge"
    )
    with pytest.raises(SettingsError, match=r"PREFLOOP_PUBLIC_URL is 'a\.example\.com'.*https://"):
        read_settings({"PREFLOOP_PUBLIC_URL": "a.example.com"})


@pytest.mark.parametrize("name", ["PREFLOOP_ADMIN_KEY", "PREFLOOP_TRAINER_KEY"])
def test_a_first_key_has_the_form_of_one_and_is_not_told(name: str) -> None:
    read_settings({name: "plk_0123456789ab_0123456789abcdef"})
    for wrong in ("hunter2", "plk_a", "plk__secret", "plk_a_"):
        with pytest.raises(SettingsError, match=rf"{name} .*plk_<id>_<secret>") as caught:
            read_settings({name: wrong})
        assert wrong not in str(caught.value)


@pytest.mark.parametrize(("host", "reached"), [("0.0.0.0", "127.0.0.1"), ("::", "127.0.0.1"), ("::1", "[::1]")])
def test_a_service_that_listens_everywhere_is_reached_here(host: str, reached: str) -> None:
    settings = Settings(host=host, port=9000, dashboard_port=9001)
    assert (settings.url, settings.dashboard_url) == (f"http://{reached}:9000", f"http://{reached}:9001")


CLUSTER = {
    "PREFLOOP_KAFKA": "k:9092",
    "PREFLOOP_DATABASE_URL": "postgresql+psycopg://p:hidden@db/prefloop",
    "PREFLOOP_REDIS_URL": "redis://:hidden@r:6379/0",
}


def test_all_three_make_a_cluster_and_none_one_machine() -> None:
    assert read_settings(CLUSTER).is_cluster
    assert not read_settings({}).is_cluster
    require_cluster(read_settings(CLUSTER))
    with pytest.raises(SettingsError, match="PREFLOOP_KAFKA, PREFLOOP_DATABASE_URL, PREFLOOP_REDIS_URL"):
        require_cluster(read_settings({}))


@pytest.mark.parametrize("missing", sorted(CLUSTER))
def test_half_a_cluster_is_told_what_is_missing(missing: str) -> None:
    with pytest.raises(SettingsError, match=missing):
        read_settings({name: value for name, value in CLUSTER.items() if name != missing})


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PREFLOOP_DATABASE_URL", "postgres://db/prefloop"),
        ("PREFLOOP_REDIS_URL", "http://r"),
        ("PREFLOOP_KAFKA_PARTITIONS", "0"),
        ("PREFLOOP_KAFKA_REPLICATION", "10"),
    ],
)
def test_a_bad_value_of_a_cluster_is_named(variable: str, value: str) -> None:
    with pytest.raises(SettingsError, match=variable):
        read_settings({**CLUSTER, variable: value})


def test_no_secret_is_shown() -> None:
    settings = read_settings({**CLUSTER, "PREFLOOP_KAFKA_PASSWORD": "hidden", "PREFLOOP_ADMIN_KEY": "plk_a_hidden"})
    assert "hidden" not in repr(settings)
