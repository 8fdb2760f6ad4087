"""A page of the dashboard against a service that a transport answers for, and what it says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
import streamlit as st

import dashboard
from dashboard import session
from dashboard.client import KEY_VARIABLE, Client

SCRIPT = str(Path(dashboard.__file__).with_name("app.py"))


def connect(monkeypatch: pytest.MonkeyPatch, transport: httpx.BaseTransport) -> None:
    st.cache_data.clear()
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    client = Client(httpx.Client(base_url="http://service", transport=transport))
    monkeypatch.setattr(session, "_connection", lambda address: client)


def words(app: Any) -> str:
    """Everything the page says."""
    assert not app.exception, app.exception
    kinds = ("html", "markdown", "caption", "code", "warning", "error", "button", "bidi_component")
    found = [str(element.proto) for kind in kinds for element in app.get(kind)]
    return "\n".join(found).encode().decode("unicode_escape", errors="replace")
