"""Who measured, by what, on which networks, and in which document that is written."""

from __future__ import annotations

from typing import Any

from probe.evidence import Measurement, Run

# Public resolvers that filter for who chooses them, some by default: Quad9 (with PCH, where
# its nodes stand), OpenDNS, AdGuard, NextDNS, CleanBrowsing. By their own documentation.
FILTERING = frozenset({19281, 42, 36692, 212772, 34939, 205157})


def whence(run: Run, measurement: Measurement | None = None) -> dict[str, Any]:
    """Columns of a row of *run*; *measurement* is None for what was only planned."""
    return {
        "source": run.source,
        "probe_id": run.probe_id,
        "resolver_asn": run.resolver_asn,
        "resolver_filters": run.resolver_asn in FILTERING and run.resolver_asn != run.probe_asn,
        "network_type": run.network_type,
        "document": measurement.document if measurement is not None else "",
        "origin": measurement.origin if measurement is not None else "",
    }
