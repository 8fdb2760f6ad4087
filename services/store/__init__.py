"""The views: SQL tables folded from the log, and how they are folded."""
