"""What the entries of the counter share: with what a form begins, and where the next one of a pile goes on. Registrations are in
entry.py, feedback in feedback/entry.py, the survey's papers in surveys/desk.py; parts of pages in templates/counter.html.
"""

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from kit.clock import format_date, local

Document = Mapping[str, Any]


def beginning(now: datetime, asked: Mapping[str, str], kept: Sequence[str]) -> tuple[dict[str, str], bool]:
    """Values of a new form, dated now, or going on from the last one (`of_the_last`); and whether it does."""
    moment = local(now)
    values = {
        "nonce": secrets.token_urlsafe(16),
        "received_on": format_date(moment.date()),
        "received_time": f"{moment:%H:%M}",
        "channel": "paper",
    }
    last = of_the_last(asked, kept)
    return values | last, bool(last)


def of_the_last(asked: Mapping[str, str], kept: Sequence[str]) -> dict[str, str]:
    """What goes on from the last one: its fields `kept`, as they come in the query `asked`."""
    return {name: value[:100] for name in kept if (value := asked.get(name))}


def onwards(address: str, document: Document, kept: Sequence[str]) -> str:
    """The address of a form that goes on from a document that was typed in: what a pile has in common, and nothing personal."""
    said = {name: document[name] for name in kept if document.get(name)}
    said["received_on"] = format_date(local(document["received_at"]).date())
    return f"{address}?{urlencode(said)}"
