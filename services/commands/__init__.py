"""Commands that speak to a running service over HTTP, with the caller's own key."""
