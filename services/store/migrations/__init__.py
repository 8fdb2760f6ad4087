"""PostgreSQL's schema, version by version; SQLite's views are dropped and folded again instead."""
