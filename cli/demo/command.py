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
    from cli.demo.journey import Step

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
    from cli.demo.journey import demo_on  # what the other commands have no use for

    began = time.monotonic()
    stack, clock = stack_for_demo(state)
    with stack:
        up.start(stack, console)
        made = demo_on(stack, clock)
        try:
            if _went_through(made, console):
                console.print(_report(made))
        finally:
            made.close()
        took = time.monotonic() - began
    checks = made.checks
    console.print(f"{checks.done} checks, {len(checks.failures)} failed, {took:.1f} s.")
    return bool(checks.failures)


def _went_through(made: "Demo", console: Console) -> bool:
    """Take the steps, each with its line; False when one could not go on, which counts as a failure."""
    from cli.demo.journey import STEPS

    console.print(f"\n{'':2}{'step':>4}{'time':>9}{'checks':>8}  {'day':<12}what", style="bold", highlight=False)
    for n, step in enumerate(STEPS, 1):
        started, checks_before, failures_before = time.monotonic(), made.checks.done, len(made.checks.failures)
        stopped = _stopped_by(step, made)
        failures = made.checks.failures[failures_before:]
        mark = "[red]✗[/red]" if failures else "[green]✓[/green]"
        took, checks = time.monotonic() - started, made.checks.done - checks_before
        line = f"{mark} {n:>4}{took:>7.1f} s{checks:>8}  {made.today:%d/%m/%Y}  {step.what}"
        console.print(line, highlight=False, soft_wrap=True)
        for failure in failures:
            console.print(f"       {failure}", style="red", markup=False, highlight=False, soft_wrap=True)
        if stopped:
            return False
    return True


def _stopped_by(step: "Step", made: "Demo") -> bool:
    """Take a step; whatever stops it is told like a check that failed."""
    try:
        step.run(made)
    except Exception as error:  # a page or an answer that the journey cannot go on from, whatever its kind
        made.checks.stopped(step.what, error)
        return True
    return False


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
