"""Settings of all tests: Hypothesis repeats itself, and never fails for a slow machine."""

from hypothesis import settings

settings.register_profile("prefloop", deadline=None, derandomize=True)
settings.load_profile("prefloop")

pytest_plugins = ["tests.services.kafka", "tests.services.postgres", "tests.services.redis"]
