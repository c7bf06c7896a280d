"""`doithoai staff`: accounts from the command line; the first administrator is made here."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import Annotated, NoReturn

import typer
from rich.table import Table

from cli.printing import console
from kit import mongo
from kit.acting import Acting
from kit.agency import load_agencies
from kit.auth import READ_SEALED, Role
from kit.clock import system_clock
from kit.errors import Conflict, Invalid, NotFound
from kit.settings import ServiceSettings
from services.routing.staff import usecases
from services.routing.staff.store import StaffStore

app = typer.Typer(no_args_is_help=True, help="Staff accounts.")

AgencyCode = Annotated[str, typer.Argument(help="The agency's code, e.g. son-la")]
Username = Annotated[str, typer.Argument(help="The account's username")]


@app.command("create")
def create(
    agency: AgencyCode,
    username: Username,
    name: Annotated[str, typer.Option(help="Full name", prompt=True)],
    role: Annotated[list[Role], typer.Option(help="May be given several times")],
    unit: Annotated[str | None, typer.Option(help="The unit's code, for officers and heads")] = None,
    read_sealed: Annotated[bool, typer.Option("--read-sealed", help="May open sealed questions (D6)")] = False,
    password: Annotated[str | None, typer.Option(help="Made and printed if absent", envvar="DOITHOAI_NEW_PASSWORD")] = None,
) -> None:
    """Open an account."""
    settings = ServiceSettings()
    profile = load_agencies(settings.agencies_dir).get(agency)
    if profile is None:
        _fail(f"There is no agency {agency} in {settings.agencies_dir}.")
    chosen = password or secrets.token_urlsafe(15)
    _run(
        lambda store: usecases.create_account(
            store,
            profile,
            _acting(agency),
            username=username,
            name=name,
            roles=role,
            unit=unit,
            permissions=[READ_SEALED] if read_sealed else [],
            password=chosen,
        )
    )
    typer.echo(f"{username}@{agency} was created." + ("" if password else f" Password: {chosen}"))


@app.command("reset")
def reset(agency: AgencyCode, username: Username) -> None:
    """Give an account a new random password; its sessions end."""
    chosen = secrets.token_urlsafe(15)
    _run(lambda store: usecases.set_password(store, _acting(agency), username, chosen))
    typer.echo(f"New password of {username}@{agency}: {chosen}")


@app.command("disable")
def disable(agency: AgencyCode, username: Username, reason: Annotated[str, typer.Option(prompt=True)]) -> None:
    """Close an account at once."""
    _run(lambda store: usecases.disable_account(store, _acting(agency), username, reason))
    typer.echo(f"{username}@{agency} is disabled.")


@app.command("enable")
def enable(agency: AgencyCode, username: Username) -> None:
    """Open a closed account again."""
    _run(lambda store: usecases.enable_account(store, _acting(agency), username))
    typer.echo(f"{username}@{agency} is enabled.")


@app.command("list")
def list_accounts(agency: AgencyCode) -> None:
    """The accounts of an agency."""
    table = Table("username", "name", "roles", "unit", "permissions", "state")

    async def rows(store: StaffStore) -> None:
        for a in await store.list_accounts(agency, limit=1000):
            state = "disabled" if a["disabled"] else "active"
            table.add_row(a["username"], a["name"], " ".join(a["roles"]), a["unit"] or "", " ".join(a["permissions"]), state)

    _run(rows)
    console().print(table)


def _acting(agency: str) -> Acting:
    return Acting(agency, "system:cli", system_clock())


def _run(use: Callable[[StaffStore], Awaitable[None]]) -> None:
    try:
        asyncio.run(_with_store(use))
    except Invalid as error:
        _fail("; ".join(f"{field}: {text}" for field, text in error.errors.items()))
    except NotFound:
        _fail("There is no such account.")
    except Conflict as error:
        _fail(str(error))


async def _with_store(use: Callable[[StaffStore], Awaitable[None]]) -> None:
    settings = ServiceSettings()
    client = mongo.connect(settings.mongodb_url, driver=settings.store_driver)
    try:
        await use(StaffStore(client[f"{settings.mongodb_prefix}_routing"]))
    finally:
        await mongo.close(client)


def _fail(text: str) -> NoReturn:
    typer.echo(text, err=True)
    raise typer.Exit(1)
