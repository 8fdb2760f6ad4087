"""Start the dashboard: `python -m dashboard --server http://127.0.0.1:8080 --port 8501`."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from dashboard.client import KEY_VARIABLE, SERVER_VARIABLE


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m dashboard", description="prefloop's dashboard, for a running service."
    )
    parser.add_argument(
        "--server", default="http://127.0.0.1:8080", help="base URL of the service's HTTP API (%(default)s)"
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on; others can reach it on 0.0.0.0 (%(default)s)"
    )
    parser.add_argument("--port", type=int, default=8501, help="port to listen on (%(default)s)")
    parser.add_argument(
        "--key-env",
        default=KEY_VARIABLE,
        metavar="NAME",
        help="environment variable with a key that everyone who opens the dashboard is signed in with (%(default)s)",
    )
    return parser.parse_args(given)


def main() -> None:
    """Serve until stopped."""
    options = arguments()
    os.environ[SERVER_VARIABLE] = options.server.rstrip("/")
    os.environ[KEY_VARIABLE] = os.environ.get(options.key_env, "")

    from streamlit import config  # slow to import: not before the command line is known to be right
    from streamlit.web import bootstrap

    script = str(Path(__file__).with_name("app.py"))
    config._main_script_path = script  # makes Streamlit read .streamlit/config.toml beside the script
    flags = {"server_port": options.port, "server_address": options.host}
    bootstrap.load_config_options(flag_options=flags)
    bootstrap.run(script, False, [], flags)


if __name__ == "__main__":
    main()
