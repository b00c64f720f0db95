"""From the bytes of one document to a run and its measurements, or to why not.

Whatever the bytes are, the answer is `Imported` or `Refused`. Ids follow from content
alone: the same document always gives the same ids, and documents of one report by one
probe the same run. Our own documents bring their ids with them (`own`).
"""

from __future__ import annotations

import hashlib

import msgspec

from probe.evidence import Measurement, Run
from probe.formats.ooni.document import (
    MAX_DOCUMENT,
    MAX_PARTS,
    MAX_RECORDS,
    MAX_TEXT,
    Document,
    Envelope,
    Imported,
    Refused,
    Unreadable,
    asn,
    country,
    seconds,
)
from probe.formats.ooni.own import own
from probe.formats.ooni.registry import readers

SOURCE = "ooni"

_envelope = msgspec.json.Decoder(Envelope)


def read(data: bytes, *, origin: str = "", sha256: str = "") -> Imported | Refused:
    """What the document *data* says; *origin* is kept with it: ``"file.jsonl:12"``.

    *sha256* is that of *data*, in hex, where it is known already.
    """
    if len(data) > MAX_DOCUMENT:
        return Refused(reason=f"larger than {MAX_DOCUMENT} bytes")
    nettest = ""
    try:
        envelope = _envelope.decode(data)
        nettest = envelope.test_name[:MAX_TEXT]
        read_parts = readers().get(nettest)
        if read_parts is None:
            return Refused(reason=f"no reader for the nettest {nettest!r}", nettest=nettest)
        document = Document(envelope)
        if (ours := own(document, origin=origin)) is not None:
            return ours
        parts = list(read_parts(document))
    except RecursionError:
        return Refused(reason="nested too deeply", nettest=nettest)
    except (msgspec.MsgspecError, UnicodeError, Unreadable) as exc:
        return Refused(reason=f"not readable: {exc}"[:MAX_TEXT], nettest=nettest)
    if not parts:
        return Refused(reason="nothing was measured", nettest=nettest)
    if len(parts) > MAX_PARTS or sum(len(part.evidence) for part in parts) > MAX_RECORDS:
        return Refused(reason="too many records", nettest=nettest)
    digest = sha256 or hashlib.sha256(data).hexdigest()
    run = _run(document, digest)
    measurements = tuple(
        Measurement(
            id=f"{digest[:28]}{number:04x}",
            run_id=run.id,
            nettest=document.nettest,
            nettest_version=document.version[:MAX_TEXT],
            url=part.url,
            started_at=document.started_at,
            runtime=max(0.0, seconds(envelope.test_runtime)),
            software_version=run.software_version,
            evidence=part.evidence,
            comparison=part.facts,
            addresses=part.addresses,
            document=(envelope.measurement_uid or digest)[:MAX_TEXT],
            origin=origin[:MAX_TEXT],
        )
        for number, part in enumerate(parts)
    )
    return Imported(run=run, measurements=measurements)


def _run(document: Document, digest: str) -> Run:
    """The run that *document* belongs to.

    Its report, as far as that was measured by one probe at one place: all that a run says
    goes into its id, so that a document never changes what another one's run says.
    """
    e = document.envelope
    found = Run(
        id="",
        started_at=document.started_at if not e.report_id else 0.0,
        ended="done",
        software_version=(e.software_version or "")[:MAX_TEXT],
        platform=document.annotation("platform"),
        probe_asn=asn(e.probe_asn),
        probe_cc=country(e.probe_cc),
        probe_network=(e.probe_network_name or "")[:MAX_TEXT],
        resolver_asn=asn(e.resolver_asn),
        resolver_network=(e.resolver_network_name or "")[:MAX_TEXT],
        ipv6=False,  # not known to work: what fails over it says nothing
        source=(e.software_name or SOURCE)[:MAX_TEXT],
        report=(e.report_id or digest)[:MAX_TEXT],
        probe_id=(e.probe_id or "")[:MAX_TEXT],
        network_type=_network_type(document.annotation("network_type")),
    )
    told = hashlib.sha256(msgspec.json.encode(found)).hexdigest()
    return msgspec.structs.replace(found, id=told[:32], started_at=document.started_at)


def _network_type(text: str) -> str:
    return {"mobile": "mobile", "wifi": "fixed", "wired_ethernet": "fixed"}.get(text, "")
