"""Recorded judgments through the live path's admission and stages, and what they say."""
