"""Settings: options over variables over defaults; a bad value is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.settings import Settings, read_settings
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


def test_a_service_that_listens_everywhere_is_reached_here() -> None:
    assert Settings(host="0.0.0.0", port=9000).url == "http://127.0.0.1:9000"
