"""Send a production model's outputs to prefloop without ever standing in its way."""

from prefloop_sdk.client import Prefloop
from prefloop_sdk.courier import Stats

__all__ = ["Prefloop", "Stats"]
