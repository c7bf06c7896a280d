"""`doithoai demo`: the journey on a stack of its own, with a table of its steps and the report at the end."""

import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli import up
from cli.demo.clock import MovableClock
from deploy.local.errors import StackError
from deploy.local.ports import Ports
from deploy.local.stack import LocalStack

if TYPE_CHECKING:
    from cli.demo.context import Demo

Keep = Annotated[bool, typer.Option("--keep", help="Keep data, mails and logs, and say where they are")]


def demo(keep: Keep = False) -> None:
    """The main job from the first registration to the report, unattended, in a state of its own and on free ports."""
    console = Console()
    state = Path(tempfile.mkdtemp(prefix="doithoai-demo-"))
    try:
        failed = _run(state, console)
    except StackError as error:
        typer.echo(f"{error} (logs: {state / 'logs'})", err=True)
        raise typer.Exit(1) from None
    if failed or keep:
        console.print(f"Data, mails and logs: {state}")
    else:
        shutil.rmtree(state, ignore_errors=True)
    raise typer.Exit(1 if failed else 0)


def stack_for_demo(state: Path) -> tuple[LocalStack, MovableClock]:
    """A stack whose services are told the time by the demonstration."""
    clock = MovableClock(state.absolute() / "clock")
    serve = (sys.executable, "-m", "cli.demo.serve", clock.file)
    return LocalStack(state, ports=Ports.free(), serve=serve), clock


def _run(state: Path, console: Console) -> bool:
    """Whether anything was not as expected."""
    from cli.demo.journey import STEPS, demo_on  # what the other commands have no use for

    began = time.monotonic()
    stack, clock = stack_for_demo(state)
    with stack:
        up.start(stack, console)
        made = demo_on(stack, clock)
        try:
            for n, step in enumerate(STEPS, 1):
                started, before, failures = time.monotonic(), made.checks.done, len(made.checks.failures)
                try:
                    step.run(made)
                except Exception as error:
                    console.print(f"[red]{n:2} {step.what}: {type(error).__name__}: {error}[/red]", highlight=False)
                    return True
                ok = len(made.checks.failures) == failures
                console.print(
                    f"{'[green]✓[/green]' if ok else '[red]✗[/red]'} {n:2} {made.today:%d/%m/%Y}  {step.what}: "
                    f"{made.checks.done - before} checks, {time.monotonic() - started:.1f} s",
                    highlight=False,
                )
                for failure in made.checks.failures[failures:]:
                    console.print(f"     {failure}", style="red", markup=False, highlight=False)
            console.print(_report(made))
        finally:
            made.close()
        took = time.monotonic() - began
    checks = made.checks
    console.print(f"{checks.done} checks, {len(checks.failures)} failed, {took:.1f} s.")
    return bool(checks.failures)


def _report(made: "Demo") -> Table:
    from cli.demo.report import main_lines

    by_agency = {book.code: dict(main_lines(made, book)) for book in made.books}
    table = Table(title="Báo cáo: Tổng hợp (trong kỳ)", title_justify="left")
    table.add_column("Chỉ tiêu")
    for book in made.books:
        table.add_column(book.name.removeprefix("Sở Khoa học và Công nghệ "), justify="right")
    for label in by_agency[made.books[0].code]:
        table.add_row(label, *(str(by_agency[book.code][label][0]) for book in made.books))
    return table
