"""The collector's document of itself is valid, and true of what it answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import jsonschema  # type: ignore[import-untyped]
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.collector.service import Running, asked, collector, line, some_batch, some_measurement


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with collector(tmp_path_factory.mktemp("openapi")) as running:
        yield running


@pytest.fixture(scope="module")
def document(running: Running) -> dict[str, Any]:
    answer = asked("GET", f"{running.url}openapi.json")
    assert answer.headers["content-type"] == "application/json"
    return dict(answer.json())


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


def test_every_path_of_it_answers(document: dict[str, Any], running: Running) -> None:
    assert len(document["paths"]) >= 12
    for path, operations in document["paths"].items():
        for method in operations:
            url = running.url + path[1:].format(sha256="00" * 32, report_id="x")
            status = asked(method.upper(), url, content=b"{").status_code
            assert str(status) in operations[method]["responses"], (method, path)
            assert status not in (404, 405), (method, path)


def answered(document: dict[str, Any], path: str, method: str, answer: httpx2.Response) -> None:
    """*answer* is as *document* says."""
    response = document["paths"][path][method]["responses"][str(answer.status_code)]
    schema = response["content"][answer.headers["content-type"]]["schema"]
    jsonschema.validate(
        answer.json(), schema | {"components": document["components"]},
        cls=jsonschema.Draft202012Validator,
    )  # fmt: skip


def test_answers_are_as_the_document_says(document: dict[str, Any], running: Running) -> None:
    name, packed, _ = some_batch(line(some_measurement()), b"{}")
    at = f"{running.url}v1/batches/{name}"
    put = "/v1/batches/{sha256}"
    answered(document, put, "put", asked("PUT", at, content=packed))
    answered(document, put, "put", asked("PUT", at, content=b"rubbish"))
    answered(document, "/health", "get", asked("GET", f"{running.url}health"))
    opened = asked("POST", f"{running.url}report", json={"test_name": "web_connectivity"})
    answered(document, "/report", "post", opened)
    checked = asked("POST", f"{running.url}api/v1/check-in", json={"probe_cc": "BY"})
    answered(document, "/api/v1/check-in", "post", checked)
    meta = asked("GET", f"{running.url}api/v1/measurement_meta")
    answered(document, "/api/v1/measurement_meta", "get", meta)


def test_another_method_is_refused_and_told_which_there_is(running: Running) -> None:
    answer = asked("DELETE", f"{running.url}v1/key")
    assert answer.status_code == 405
    assert "GET" in answer.headers["allow"]
    assert json.loads(answer.content)["reason"]
