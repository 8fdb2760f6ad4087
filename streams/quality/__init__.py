"""Pure statistics of judgments, one idea a file."""
