"""Repeatable comparisons: they print tables with ratios and assert nothing."""
