"""Which client the controls are asked with."""

from __future__ import annotations

import errno

import pytest

from probe import asking
from probe.asking import Controls
from probe.config import Config


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
async def test_without_an_open_file_for_the_roots_the_client_of_before_goes_on(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_roots(urls: object) -> None:
        raise OSError(number, "Too many open files")

    async with Controls(Config()) as controls:
        before = controls.client
        monkeypatch.setattr(asking, "make_trust", no_roots)
        await controls.renew(clock_wrong=False)
        assert before is controls.client
        monkeypatch.undo()
        await controls.renew(clock_wrong=False)
        assert before is not controls.client
