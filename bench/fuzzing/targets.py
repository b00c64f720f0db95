"""All targets, by name; importing this registers them."""

from __future__ import annotations

from bench.fuzzing import documents, kept, names, pages, servers, shown, tor, wire
from bench.fuzzing.target import TARGETS

__all__ = [
    "TARGETS", "documents", "kept", "names", "pages", "servers", "shown", "tor", "wire",
]  # fmt: skip
