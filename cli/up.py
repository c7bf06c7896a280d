"""`doithoai up`: the whole stack on this machine, for a newcomer and for development."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from deploy.local import downloads
from deploy.local.errors import StackError
from deploy.local.paths import LOCAL, ROOT
from deploy.local.ports import Ports
from deploy.local.stack import LocalStack
from deploy.local.supervisor import last_line

SIGN_INS = "sign-ins.json"

Port = Annotated[int, typer.Option("--port", envvar="DOITHOAI_PORT", help="Port of the public site")]
MailPort = Annotated[int, typer.Option("--mail-port", envvar="DOITHOAI_MAIL_PORT", help="Port of the mail pages")]
InternalPorts = Annotated[
    int,
    typer.Option("--internal-ports", envvar="DOITHOAI_INTERNAL_PORTS", help="First of eight successive ports for the rest"),
]
State = Annotated[Path, typer.Option("--state", envvar="DOITHOAI_STATE", help="Where data, logs and secrets are kept")]


def up(port: Port = 8080, mail_port: MailPort = 8025, internal_ports: InternalPorts = 18100, state: State = LOCAL / "up") -> None:
    """Start everything, show where to look, and stay until Ctrl-C."""
    console = Console()
    stack = LocalStack(
        state,
        ports=Ports.fixed(port, mail_port, internal_ports),
        say=lambda line: console.print(f"[yellow]{line}[/yellow]"),
    )
    try:
        with _stop_on_signals(), stack:
            start(stack, console, "--answers")
            stack.write_environment()
            # Past the console, which would break what is wider than the terminal: an address is copied whole.
            typer.echo("\n".join(overview(stack)))
            console.print("Ctrl-C stops everything.")
            signal.pause()
    except StackError as error:
        _fail(str(error))
    except KeyboardInterrupt:
        console.print("Stopped; the data is kept.")


def start(stack: LocalStack, console: Console, *samples: str) -> None:
    """Download, start, create topics and indexes, load the samples with these options; raises StackError."""
    began = time.monotonic()
    stack.check_machine()
    download(stack.cache, console)
    with _step(console, "Kafka, MongoDB and the mail catcher"):
        stack.start_infrastructure()
    with _step(console, "Topics and indexes"):
        run_command(stack, "migrate")
    with _step(console, "Sample agencies, four services and the proxy"), ThreadPoolExecutor(1) as beside:
        # Beside the services, which take as long: hashing the accounts' passwords leaves a core free.
        sampling = beside.submit(run_command, stack, "sample", "--sign-ins", str(stack.state / SIGN_INS), *samples)
        stack.start_services()
        sampling.result()
    console.print(f"Ready after {time.monotonic() - began:.1f} s.")


@contextmanager
def _step(console: Console, what: str) -> Iterator[None]:
    """Shows what is going on, and afterwards how long it took."""
    began = time.monotonic()
    with console.status(f"{what}…"):
        yield
    console.print(f"  {what}: {time.monotonic() - began:.1f} s")


def download(cache: Path, console: Console) -> None:
    """Kafka's jars and the fonts, with a progress bar if anything has to be fetched."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("Downloading Kafka and fonts", total=None, visible=False)

        def show(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total, visible=True)

        downloads.kafka_jars(cache, show)
        downloads.font_dir(cache, show)


def run_command(stack: LocalStack, *arguments: str) -> None:
    """Run a command of this command line against the stack; raises StackError with its last line when it fails."""
    name = arguments[0]
    log = stack.log_dir / f"{name}.log"
    with log.open("w") as output:
        status = subprocess.run(
            [sys.executable, "-m", "cli", *arguments],
            env=stack.command_env(),
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        ).returncode
    if status != 0:
        raise StackError(f"`doithoai {name}` failed: {last_line(log)}")


def overview(stack: LocalStack) -> list[str]:
    """Where to look, and with which sample accounts: a line for each address."""
    rows: list[tuple[str, str]] = []
    for agency in sorted(path.stem for path in (ROOT / "agencies").glob("*.yaml")):
        site = f"{stack.public_url}/{agency}"
        rows += [
            (f"{agency}: public site", f"{site}/"),
            (f"{agency}: staff desk", f"{site}/can-bo/"),
            (f"{agency}: mail desk", f"{site}/van-thu/"),
            (f"{agency}: reports", f"{site}/bao-cao/"),
        ]
    rows += [
        ("Mail sent by the system", stack.mail_url),
        ("The same as files", str(stack.mail_dir)),
        ("Logs", str(stack.log_dir)),
        ("MongoDB", stack.mongodb_url),
        ("Kafka", stack.kafka_bootstrap),
        ("For other commands", f". {stack.environment}"),
    ]
    accounts = [(f"{s['agency']}: {s['role']}", f"{s['login']}  {s['password']}") for s in sign_ins(stack)]
    return [
        "",
        "Đối thoại TTHC",
        *_aligned(rows),
        "",
        "Sample accounts, for development only; also in",
        str(stack.state / SIGN_INS),
        *_aligned(accounts),
        "",
    ]


def _aligned(rows: Sequence[tuple[str, str]]) -> list[str]:
    width = max((len(label) for label, _ in rows), default=0)
    return [f"  {label:<{width}}  {what}" for label, what in rows]


def sign_ins(stack: LocalStack) -> list[dict[str, str]]:
    """The sample accounts as `doithoai sample` wrote them: agency, role, login, password."""
    loaded: list[dict[str, str]] = json.loads((stack.state / SIGN_INS).read_text(encoding="utf-8"))
    return loaded


@contextmanager
def _stop_on_signals() -> Iterator[None]:
    """SIGTERM and a closed terminal stop like Ctrl-C; once stopping has begun, more of them change nothing."""
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        for number in signals:
            signal.signal(number, signal.SIG_IGN)
        print("\nStopping…", flush=True)
        raise KeyboardInterrupt

    for number in signals:
        signal.signal(number, interrupt)
    yield


def _fail(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(1)
