"""`prefloop demo`: the whole loop on one machine with a real small model and simulated annotators."""
