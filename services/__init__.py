"""What runs, one folder a process."""
