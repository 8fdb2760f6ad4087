"""`prefloop aggregate`: consensus on anyone's own judgments, in memory, with the steps of the running service."""
