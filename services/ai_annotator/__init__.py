"""A language model as an annotator: a process that judges through the public HTTP API with a key of its own."""
