"""How a command ends: exit statuses, and one line for the user where it cannot go on."""

from __future__ import annotations

import click

DONE, FAILED, BAD_ARGUMENTS, NOTHING_MEASURED, NO_CONSENT, IN_PART, LOCKED = 0, 1, 2, 3, 4, 5, 75


class Problem(click.ClickException):
    """One line for the user, and the status to end with."""

    def __init__(self, message: str, status: int = FAILED) -> None:
        super().__init__(" ".join(message.split()))
        self.exit_code = status  # type: ignore[misc]  # click reads it from the instance
