"""Reports over many judgments: agreement, causes, populations, vendors, biases. Gathered from SQL, computed apart."""
