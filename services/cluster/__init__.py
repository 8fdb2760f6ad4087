"""prefloop on Kafka, PostgreSQL and Redis: how its processes are composed and run."""
