"""The trainer: a process of its own that claims runs over HTTP."""
