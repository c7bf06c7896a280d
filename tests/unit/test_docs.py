"""The documents name what exists: files, functions, commands, settings, metrics, the table of topics."""

import copy
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
from click.testing import CliRunner

from cli.main import app
from contracts.topics import TOPICS
from deploy.local.paths import ROOT
from deploy.local.ports import SERVICES
from deploy.local.stack import settings_class
from tests.monitoring import known_metrics

DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
FOLDERS = "contracts|kit|services|cli|deploy|docs|agencies|tests"
PATH = re.compile(rf"(?<![\w/.])((?:{FOLDERS})/[\w./-]*\w/?)(?::([A-Za-z_]\w*(?:\.\w+)?))?")
COMMAND = re.compile(r"(?:\./|`)doithoai ([a-z][a-z -]*)")
LINE = re.compile(r"\./doithoai +([a-z][^`\n]*)|docker compose run --rm (?:-v \S+ )?(?:migrate )?([a-z][^`\n]*)")
SETTING = re.compile(r"DOITHOAI_[A-Z_]+[A-Z](?![A-Z_])")
METRIC = re.compile(r"`([a-z]+(?:_[a-z]+)+)(?:\{[^`]*\})?`")
NOT_OURS = {
    "DOITHOAI_NEW_PASSWORD": "cli/staff.py",
    "DOITHOAI_MIX_SECONDS": "tests/faults/test_mix.py",
    "DOITHOAI_PORT": "cli/up.py",
    "DOITHOAI_MAIL_PORT": "cli/up.py",
}


def ids(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("document", DOCUMENTS, ids=ids)
def test_files_and_functions_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    missing = [path for path, _ in PATH.findall(text) if not (ROOT / path).exists() and "<" not in path]
    missing += [f"{path}:{name}" for path, name in PATH.findall(text) if name and not _defines(ROOT / path, name)]
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", text)
    missing += [link for link in links if not (document.parent / link).exists()]
    assert missing == []


def _defines(path: Path, name: str) -> bool:
    """Whether a module defines a function or class, or a class a method (`Outbox.change`)."""
    source = path.read_text(encoding="utf-8") if path.is_file() else ""
    return all(re.search(rf"^\s*(?:async def|def|class) {part}\b", source, re.MULTILINE) for part in name.split("."))


@pytest.mark.parametrize("document", DOCUMENTS, ids=ids)
def test_commands_exist(document: Path) -> None:
    root = typer.main.get_command(app)
    unknown = [words for words in COMMAND.findall(document.read_text(encoding="utf-8")) if not _is_command(root, words.split())]
    assert unknown == []


def _is_command(command: object, words: list[str]) -> bool:
    commands = getattr(command, "commands", None)  # a group has them
    if commands is None or not words:
        return True
    return words[0] in commands and _is_command(commands[words[0]], words[1:])


@pytest.mark.parametrize("document", DOCUMENTS, ids=ids)
def test_commands_are_taken_as_they_stand(document: Path) -> None:
    """With their arguments and options: each is parsed, none is run. One that ends in … is only begun."""
    lines = [(one or other).strip() for one, other in LINE.findall(document.read_text(encoding="utf-8"))]
    assert {line: said for line in lines if not line.endswith(" …") and (said := _refused(line))} == {}


def _refused(line: str) -> str:
    """What the command line says of a command that it does not take; of others nothing."""
    words = shlex.split(re.sub(r"\$\([^)]*\)", "x", line), comments=True)
    done = CliRunner().invoke(_without_callbacks(typer.main.get_command(app)), words)
    return done.output or "refused" if done.exit_code else ""


def _without_callbacks(command: Any) -> Any:
    command = copy.copy(command)  # the commands themselves are kept for whoever asks next
    command.callback = None
    if hasattr(command, "commands"):
        command.commands = {name: _without_callbacks(inner) for name, inner in command.commands.items()}
    return command


@pytest.mark.parametrize("line", ["staff reset son-la", "staff reset son-la quantri now", "status --all"])
def test_a_command_that_is_wrong_is_refused(line: str) -> None:
    assert _refused(line)


@pytest.mark.parametrize("document", DOCUMENTS, ids=ids)
def test_headings_that_are_linked_to_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    headings = {re.sub(r"[^\w -]", "", h.lower()).strip().replace(" ", "-") for h in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= headings


@pytest.mark.parametrize("document", DOCUMENTS, ids=ids)
def test_settings_exist(document: Path) -> None:
    declared = {f"DOITHOAI_{name.upper()}" for service in SERVICES for name in settings_class(service).model_fields}
    declared |= {"DOITHOAI_SEED", "DOITHOAI_MIX_SECONDS"}  # read by tests/faults alone
    assert set(SETTING.findall(document.read_text(encoding="utf-8"))) <= declared | NOT_OURS.keys()


def test_every_entry_of_the_runbook_says_where_it_was_tried() -> None:
    _, *entries = re.split(r"^## ", (ROOT / "docs" / "operations.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    silent = [entry.splitlines()[0] for entry in entries if not re.match(r"Tried: .*`tests/", entry.strip().splitlines()[-1])]
    assert silent == []


def test_metrics_of_the_runbook_exist() -> None:
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    table = text[text.index("What to alert on") : text.index("## A red readyz")]
    named = set(METRIC.findall(table))
    assert named
    assert named <= known_metrics()


def test_the_table_of_topics_is_that_of_the_code() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z.]+)` \| ([a-z ]+) \| (\d+) \| (compacted|\d+ days) \|$", text, re.MULTILINE)
    expected = [
        (t.name, t.key, str(t.partitions), "compacted" if t.retention_days is None else f"{t.retention_days} days")
        for t in TOPICS
    ]
    assert rows == expected
