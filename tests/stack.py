"""The whole stack for a test: as `doithoai up` starts it, in a state of the test's own and on free ports."""

import io

from rich.console import Console

from cli.up import start
from deploy.local.stack import LocalStack


def start_everything(stack: LocalStack) -> None:
    """Kafka, MongoDB, mail, topics, samples with their accounts, the four services and the proxy."""
    start(stack, Console(file=io.StringIO()))
