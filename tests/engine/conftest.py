"""Settings of the engine's property tests."""

from hypothesis import settings

# A deadline would measure how busy the machine is; the time limit of a whole test stands in pyproject.toml.
settings.register_profile("engine", deadline=None)
settings.load_profile("engine")
