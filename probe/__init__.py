"""See and write down: evidence, never opinion."""

__version__ = "0.1.0"
