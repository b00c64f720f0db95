"""Who measured, by what, on which networks, and in which document that is written."""

from __future__ import annotations

from typing import Any

from probe.evidence import Measurement, Run


def whence(run: Run, measurement: Measurement | None = None) -> dict[str, Any]:
    """Columns of a row of *run*; *measurement* is None for what was only planned."""
    return {
        "source": run.source,
        "probe_id": run.probe_id,
        "resolver_asn": run.resolver_asn,
        "network_type": run.network_type,
        "document": measurement.document if measurement is not None else "",
        "origin": measurement.origin if measurement is not None else "",
    }
