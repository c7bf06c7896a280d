"""The command line `doithoai`: this file only puts the commands together, each lives in a module of its own.

A module is imported when its command is asked for. Each needs another part of the product, and a service that starts, or a
`migrate`, need not wait for the others' parts.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

MODULES = {
    "serve": "cli.serve",
    "up": "cli.up",
    "demo": "cli.demo.command",
    "migrate": "cli.migrate",
    "status": "cli.status",
    "republish": "cli.republish",
    "rebuild": "cli.rebuild",
    "reconcile": "cli.reconcile",
    "backup": "cli.backup",
    "rescue": "cli.rescue",
    "restore": "cli.restore",
    "sample": "cli.sample",
    "deadletters": "cli.deadletters",
    "staff": "cli.staff",
}
"""Command → its module, which has a function of that name, or an `app` with commands below it."""
HIDDEN = frozenset({"sample"})


class Commands(Mapping[str, Any]):
    """The commands by name, each made when it is looked up."""

    def __getitem__(self, name: str) -> Any:
        return _command(name, MODULES[name])

    def __iter__(self) -> Iterator[str]:
        return iter(MODULES)

    def __len__(self) -> int:
        return len(MODULES)


@cache
def _command(name: str, module: str) -> Any:
    found = import_module(module)
    alone = typer.Typer()
    if hasattr(found, "app"):
        alone.add_typer(found.app, name=name)
    else:
        alone.command(name, hidden=name in HIDDEN)(getattr(found, name))
    return typer.main.get_group(alone).commands[name]


class Doithoai(TyperGroup):
    """The group of all commands."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**{**attributes, "commands": Commands()})


app = typer.Typer(
    name="doithoai",
    cls=Doithoai,
    help="Direct dialogue and control of administrative procedures.",
    callback=lambda: None,  # without one, or a command of its own, Typer takes it for empty
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # it would show local variables, which may hold personal data
)
