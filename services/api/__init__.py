"""The HTTP API and the annotator page."""
