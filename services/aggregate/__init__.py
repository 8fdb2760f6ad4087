"""`prefloop aggregate`: consensus on anyone's own judgments, in memory, with the steps of the running service."""

from services.aggregate.command import aggregate, aggregate_command

__all__ = ["aggregate", "aggregate_command"]
