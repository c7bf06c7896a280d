"""How commands print tables."""

import sys

from rich.console import Console

_PIPED_WIDTH = 160


def console() -> Console:
    """As wide as the terminal; into a pipe or a file wide enough that no name is broken."""
    return Console(width=None if sys.stdout.isatty() else _PIPED_WIDTH)
