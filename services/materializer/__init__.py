"""Kafka into PostgreSQL, and from there into the queue: one active process of a cluster."""
