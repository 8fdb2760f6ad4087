"""What happens to an event: schemas, topology, pure stages, statistics, engines."""
