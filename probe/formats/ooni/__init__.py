"""OONI's measurement documents, read into our evidence. Pure.

A nettest's reader is one file here with one decorated function (`registry.reader`), found
by walking the package. What a document says is told in our records; what it does not
tell stays empty and is never guessed. A document that cannot be read is set aside with
a reason (`Refused`), never half read.

Format: OONI's data formats (df-000 and those it names), 0.2.0 and what came before.
"""

from __future__ import annotations

from probe.formats.ooni.document import Imported, Refused
from probe.formats.ooni.reading import read

__all__ = ["Imported", "Refused", "read"]
