"""``zond completion``: what makes a shell complete commands, options, and names of lists.

Rule: a completion is asked for at each press of a key, so nothing here imports what a command
needs to run, and what cannot be told completes to nothing, in silence.
"""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem, get_completion_class

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print what SHELL needs to complete what you type.

    bash (4.4 or newer): write it to ~/.local/share/bash-completion/completions/zond;
    zsh: to a file _zond in a folder of your $fpath; fish: to
    ~/.config/fish/completions/zond.fish. It serves in the next shell that you open.

    Example: zond completion fish > ~/.config/fish/completions/zond.fish
    """
    root = ctx.find_root()
    name = root.info_name or "zond"
    found = get_completion_class(shell)
    assert found is not None  # Click brings all three
    click.echo(found(root.command, {}, name, _variable(name)).source())


def _variable(name: str) -> str:
    """The environment variable by which the shell asks, as Click makes it of the name."""
    return f"_{name}_COMPLETE".replace("-", "_").replace(".", "_").upper()


def nettest_names(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The nettests: a file each, so that none has to be imported to be named."""
    from importlib import resources

    folder = resources.files("probe") / "nettests"
    names = sorted(entry.name.removesuffix(".py") for entry in folder.iterdir())
    return [
        CompletionItem(name)
        for name in names
        if name.startswith(incomplete) and not name.startswith("_")
    ]


def list_names(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The lists that there are, and files."""
    from probe.places import lists
    from testlists import Shelf

    named = [name for name in Shelf(lists()).names() if name.startswith(incomplete)]
    # bash forgets what stood before an item of this type.
    return [CompletionItem(incomplete, type="file"), *map(CompletionItem, named)]
