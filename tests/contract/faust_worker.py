"""One Faust worker over the toy topology, as a process that tests may kill. Its one argument is JSON."""

from __future__ import annotations

import json
import os
import signal
import sys

from streams.engines.faust_engine import FaustEngine, FaustOptions
from streams.engines.kafka_connection import KafkaConnection
from tests.contract.kafka_toy import toy_layout
from tests.contract.toy import BUGGY, TOY


class KillAt:
    """Kills this process with -9 at the n-th time that the point is reached."""

    def __init__(self, point: str, number: int) -> None:
        self.point, self.left = point, number

    def __call__(self, point: str) -> None:
        if point == self.point:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Runs until it is told to end, or killed."""
    told = json.loads(sys.argv[1])
    connection = KafkaConnection(servers=told["servers"], prefix=told["prefix"])
    layout = toy_layout({"TOY": TOY, "BUGGY": BUGGY}[told["topology"]], told["prefix"])
    fault = {"fault": KillAt(*told["kill_at"])} if told.get("kill_at") else {}
    options = FaustOptions(session_s=told.get("session_s", 3.0), heartbeat_s=0.5, rebalance_s=10.0, commit_s=0.2)
    FaustEngine(connection, layout, options=options, **fault).run()


if __name__ == "__main__":
    main()
