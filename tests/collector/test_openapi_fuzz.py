"""Whatever is sent to what the OpenAPI document names: never a fault, always as it says.

schemathesis makes requests of the document, good and bad ones; more of them by hand:
``schemathesis run http://127.0.0.1:8080/openapi.json``.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.collector.service import PATIENCE, collector

EXAMPLES = 15  # for each operation, of requests by the document, and of others
# That a body is a signed and compressed batch, no schema can say.
UNCHECKED: list[Any] = [positive_data_acceptance]


def test_every_request_is_answered_as_documented(tmp_path: Path) -> None:
    with collector(tmp_path) as running:
        document = schemathesis.openapi.from_url(f"{running.url}openapi.json")
        operations: list[Any] = []
        for found in document.get_all_operations():
            assert isinstance(found, Ok), found
            operations.append(found.ok())
        for operation in operations:
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

                @settings(
                    max_examples=EXAMPLES, database=None, derandomize=True,
                    suppress_health_check=list(HealthCheck),
                )  # fmt: skip
                @given(case=operation.as_strategy(generation_mode=mode))
                def check(case: schemathesis.Case[Any]) -> None:
                    case.call_and_validate(timeout=PATIENCE, excluded_checks=UNCHECKED)

                with suppress(Unsatisfiable):  # nothing can be wrong with a bare GET
                    check()
        assert running.process.poll() is None
    assert len(operations) >= 5
