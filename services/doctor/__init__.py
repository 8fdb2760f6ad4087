"""`prefloop doctor`: looks at everything that a deployment depends on, and says of each fault how to mend it."""
