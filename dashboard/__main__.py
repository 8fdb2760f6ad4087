"""Start the dashboard: `python -m dashboard --server http://127.0.0.1:8000 --port 8501`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from pathlib import Path

from dashboard.client import KEY_VARIABLE, SERVER_VARIABLE

PARENT_PIPE = "PREFLOOP_PARENT_PIPE"


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m dashboard", description="prefloop's dashboard, for a running service."
    )
    parser.add_argument(
        "--server", default="http://127.0.0.1:8000", help="base URL of the service's HTTP API (%(default)s)"
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on; others can reach it on 0.0.0.0 (%(default)s)"
    )
    parser.add_argument("--port", type=int, default=8501, help="port to listen on (%(default)s)")
    parser.add_argument(
        "--key-env",
        default=KEY_VARIABLE,
        metavar="NAME",
        help="environment variable with a key: everyone who opens the dashboard is then signed in with it (%(default)s)",
    )
    return parser.parse_args(given)


def leave_with_parent() -> None:
    """Stop this process when its standard input ends, which is when the parent that holds the other end dies."""

    def wait() -> None:
        sys.stdin.buffer.read()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True, name="parent-pipe").start()


def main() -> None:
    """Serve until stopped."""
    options = arguments()
    os.environ[SERVER_VARIABLE] = options.server.rstrip("/")
    os.environ[KEY_VARIABLE] = os.environ.get(options.key_env, "")
    if os.environ.get(PARENT_PIPE) == "1":
        leave_with_parent()

    from streamlit import config  # slow to import: not before the command line is known to be right
    from streamlit.web import bootstrap

    script = str(Path(__file__).with_name("app.py"))
    config._main_script_path = script  # makes Streamlit read .streamlit/config.toml beside the script
    flags = {"server_port": options.port, "server_address": options.host}
    bootstrap.load_config_options(flag_options=flags)
    bootstrap.run(script, False, [], flags)


if __name__ == "__main__":
    main()
