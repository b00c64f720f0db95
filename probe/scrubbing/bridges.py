"""What leaves of the user's own bridges: under a name that is new in each batch.

Here a bridge has a name that stays, so that its days can be compared
(`probe.tor.keeping`). Sent, that name would link what one person sends from month to month
and from network to network, which the keys of batches do not.
"""

from __future__ import annotations

import hashlib

import msgspec

from probe.evidence import Measurement, RelayLink
from probe.tor.keeping import NAME_BYTES, PREFIX

_URL = f"tor://{PREFIX}"


def with_passing_names(measurement: Measurement, key: bytes) -> Measurement:
    """*measurement*, its bridge under a name that only *key* (of one batch) makes of it."""
    if not measurement.url.startswith(_URL):
        return measurement
    name = measurement.url.removeprefix("tor://")
    digest = hashlib.blake2b(name.encode(), key=key, digest_size=NAME_BYTES)
    passing = PREFIX + digest.hexdigest()
    return msgspec.structs.replace(
        measurement,
        url=f"tor://{passing}",
        runtime=round(measurement.runtime, 1),
        evidence=tuple(
            msgspec.structs.replace(e, url=f"tor://{passing}", key=passing)
            if isinstance(e, RelayLink)
            else e
            for e in measurement.evidence
        ),
    )
