"""Our measurements as OONI's documents (web_connectivity 0.5). Pure.

A document has two parts. OONI's own fields say what OONI's words can say, for OONI's own
readers: one control, one chain of redirects, no packets. ``test_keys.x_zond`` has the
whole of it in our words (`extension`), so that our own reader gets back what was measured,
under the same ids. Rule: a field of theirs that we did not measure is null or left out.

Formats: df-000, 001, 002, 005, 006, 007, 008 of ooni/spec, and ts-017 (``test_keys``).
"""

from __future__ import annotations

from probe.formats.ooni_export.document import NotOONI, document

__all__ = ["NotOONI", "document"]
