"""Campaigns without people: the service's own steps and queue in memory, and crowds that are made up."""
