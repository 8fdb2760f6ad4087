"""What all tests of the dashboard share."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from tests.unit.dashboard.opening import SCRIPT, connect
from tests.unit.dashboard.stub import Stub


@pytest.fixture(autouse=True)
def own_main() -> Iterator[None]:
    """Streamlit's AppTest leaves the page as `__main__`, which processes that are started later would run."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stub]:
    """A stub service that the dashboard is connected to."""
    stub = Stub()
    connect(monkeypatch, stub.transport())
    yield stub
    st.cache_data.clear()


@pytest.fixture
def opened(service: Stub) -> Callable[..., Any]:
    """Opens a page signed in with a key."""

    def open_page(page: str = "loop", key: str = "plk_admin", **state: Any) -> Any:
        app = AppTest.from_file(SCRIPT, default_timeout=20)
        app.session_state["key"] = key
        for name, value in state.items():
            app.session_state[name] = value
        app.run()
        return app if page == "loop" else app.switch_page(f"views/{page}.py").run()

    return open_page
