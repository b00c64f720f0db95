"""OONI's data formats as JSON Schemas, in our words: what a document must have (df-*).

From the fields that ooni/spec names mandatory, and the types that OONI's own structs have.
Unknown keys are allowed, as the specification says; unknown failures are not.
"""

from __future__ import annotations

from typing import Any

from probe.failure import Failure

Schema = dict[str, Any]

STRING: Schema = {"type": "string"}
TEXT: Schema = {"type": ["string", "null"]}
INTEGER: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
TRUTH: Schema = {"type": "boolean"}
PERHAPS: Schema = {"type": ["boolean", "null"]}
TIME: Schema = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$"}
ASN: Schema = {"type": "string", "pattern": r"^AS\d+$"}
ENDPOINT: Schema = {"type": "string", "pattern": r"^(\[[0-9a-f:]+\]|[0-9.]+):\d{1,5}$"}

# df-007: the names, and what is none of them with its text.
FAILURE: Schema = {
    "anyOf": [
        {"type": "null"},
        {"enum": sorted(f.value for f in Failure if f is not Failure.UNKNOWN)},
        {"type": "string", "pattern": "^unknown_failure: ."},
    ]
}
BINARY: Schema = {
    "type": "object",
    "required": ["data", "format"],
    "properties": {"data": STRING, "format": {"const": "base64"}},
    "additionalProperties": False,
}
MAYBE_BINARY: Schema = {"anyOf": [STRING, BINARY]}


def record(required: dict[str, Schema], optional: dict[str, Schema] | None = None) -> Schema:
    return {
        "type": "object",
        "required": list(required),
        "properties": {**required, **(optional or {})},
    }


def listed(item: Schema) -> Schema:
    return {"type": "array", "items": item}


def or_null(schema: Schema) -> Schema:
    return {"anyOf": [{"type": "null"}, schema]}


TIMED = {"t0": NUMBER, "transaction_id": INTEGER}
TAGS = listed(STRING)
HEADERS = {"type": "object", "additionalProperties": MAYBE_BINARY}
HEADERS_LIST = listed(
    {"type": "array", "items": MAYBE_BINARY, "minItems": 2, "maxItems": 2}
)

# df-001
REQUEST = record(
    {
        "failure": FAILURE,
        "request": record(
            {
                "body": MAYBE_BINARY, "body_is_truncated": TRUTH, "headers": HEADERS,
                "headers_list": HEADERS_LIST, "method": STRING, "url": STRING,
                "x_transport": {"enum": ["tcp", "udp"]},
                "tor": record({"exit_ip": TEXT, "exit_name": TEXT, "is_tor": TRUTH}),
            }
        ),
        "response": record(
            {
                "body": MAYBE_BINARY, "body_is_truncated": TRUTH, "code": INTEGER,
                "headers": HEADERS, "headers_list": HEADERS_LIST,
            }
        ),
        "t": NUMBER,
        "tags": TAGS,
    },
    {"network": {"enum": ["tcp", "udp"]}, "address": STRING, "alpn": STRING, **TIMED},
)  # fmt: skip

# df-002
ANSWER = {
    **record({"answer_type": {"enum": ["A", "AAAA", "CNAME"]}}),
    "properties": {
        "answer_type": STRING, "ttl": {"type": ["integer", "null"]}, "asn": INTEGER,
        "as_org_name": STRING, "ipv4": {"format": "ipv4"}, "ipv6": {"format": "ipv6"},
        "hostname": STRING,
    },
    "oneOf": [{"required": ["ipv4"]}, {"required": ["ipv6"]}, {"required": ["hostname"]}],
}  # fmt: skip
QUERY = record(
    {
        "answers": or_null(listed(ANSWER)),
        "engine": {"enum": ["getaddrinfo", "udp", "tcp", "dot", "doh"]},
        "failure": FAILURE,
        "hostname": STRING,
        "query_type": {"enum": ["A", "AAAA", "ANY", "CNAME", "NS", "HTTPS"]},
        "resolver_address": STRING,
        "resolver_hostname": {"type": "null"},
        "resolver_port": {"type": "null"},
        "t": NUMBER,
        "tags": TAGS,
    },
    {"raw_response": STRING, "rcode": INTEGER, **TIMED},
)

# df-005
CONNECT = record(
    {
        "ip": {"type": "string", "minLength": 2},
        "port": {"type": "integer", "minimum": 1, "maximum": 65535},
        "status": record({"failure": FAILURE, "success": TRUTH}, {"blocked": TRUTH}),
        "t": NUMBER,
        "tags": TAGS,
    },
    TIMED,
)

# df-006
HANDSHAKE = record(
    {
        "network": {"enum": ["tcp", "udp"]}, "address": ENDPOINT, "cipher_suite": STRING,
        "failure": FAILURE, "negotiated_protocol": STRING, "no_tls_verify": TRUTH,
        "peer_certificates": or_null(listed(BINARY)), "server_name": STRING,
        "tls_version": STRING, "t": NUMBER, "tags": TAGS,
    },
    {"outer_server_name": STRING, "echconfig": STRING, **TIMED},
)  # fmt: skip

# df-008
EVENT = record(
    {
        "failure": FAILURE,
        "operation": {
            "enum": ["connect", "tls_handshake_start", "tls_handshake_done",
                     "http_transaction_start", "http_transaction_done"]
        },
        "t": NUMBER,
    },
    {"address": STRING, "proto": STRING, "tags": TAGS, **TIMED},
)  # fmt: skip

# ts-017
CONTROL = record(
    {
        "dns": or_null(record({"failure": FAILURE, "addrs": listed(STRING)})),
        "tcp_connect": {
            "type": "object",
            "propertyNames": ENDPOINT,
            "additionalProperties": record({"status": TRUTH, "failure": FAILURE}),
        },
        "tls_handshake": {
            "type": "object",
            "propertyNames": ENDPOINT,
            "additionalProperties": record(
                {"server_name": STRING, "status": TRUTH, "failure": FAILURE}
            ),
        },
        "http_request": record(
            {"body_length": INTEGER, "failure": FAILURE, "title": STRING, "headers": HEADERS,
             "status_code": INTEGER, "discovered_h3_endpoint": STRING}
        ),
        "ip_info": {
            "type": "object",
            "additionalProperties": record({"asn": INTEGER, "flags": INTEGER}),
        },
    }
)  # fmt: skip
TEST_KEYS = record(
    {
        "agent": {"const": "redirect"},
        "client_resolver": STRING,
        "retries": {"type": "null"},
        "socksproxy": {"type": "null"},
        "queries": listed(QUERY),
        "requests": listed(REQUEST),
        "tcp_connect": listed(CONNECT),
        "tls_handshakes": listed(HANDSHAKE),
        "network_events": listed(EVENT),
        "x_dns_duplicate_responses": listed(QUERY),
        "control": {"anyOf": [{"type": "object", "maxProperties": 0}, CONTROL]},
        "control_failure": FAILURE,
        "dns_experiment_failure": FAILURE,
        "dns_consistency": {"enum": ["consistent", "inconsistent", None]},
        "http_experiment_failure": FAILURE,
        "body_proportion": {"type": "number", "minimum": 0, "maximum": 1},
        "body_length_match": PERHAPS,
        "headers_match": PERHAPS,
        "status_code_match": PERHAPS,
        "title_match": PERHAPS,
        "blocking": {"enum": [None, False, "dns", "tcp_ip", "http-failure", "http-diff"]},
        "accessible": PERHAPS,
    }
)

# df-000
DOCUMENT = record(
    {
        "data_format_version": {"const": "0.2.0"},
        "input": {"type": "string", "pattern": "^https?://"},
        "measurement_start_time": TIME,
        "test_start_time": TIME,
        "test_name": {"const": "web_connectivity"},
        "test_version": STRING,
        "test_runtime": {"type": "number", "minimum": 0},
        "test_keys": TEST_KEYS,
        "probe_asn": ASN,
        "probe_cc": {"type": "string", "pattern": "^[A-Z]{2}$"},
        "probe_network_name": STRING,
        "probe_ip": {"const": "127.0.0.1"},
        "resolver_asn": ASN,
        "resolver_ip": STRING,
        "resolver_network_name": STRING,
        "software_name": STRING,
        "software_version": STRING,
    },
    {
        "report_id": STRING,
        "id": STRING,
        "annotations": {"type": "object", "additionalProperties": STRING},
        "extensions": {"type": "object", "additionalProperties": INTEGER},
        "test_helpers": {
            "type": "object",
            "additionalProperties": record({"address": STRING, "type": STRING}),
        },
    },
)
