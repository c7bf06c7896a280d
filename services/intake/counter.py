"""What the two entries of the counter share: with what a form begins, and where the next one goes on. Registrations are in
entry.py, feedback in feedback/entry.py; the parts of their pages in templates/counter.html.
"""

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from kit.clock import format_date, local

Document = Mapping[str, Any]


def beginning(now: datetime, asked: Mapping[str, str], kept: Sequence[str]) -> tuple[dict[str, str], bool]:
    """Values of a new form, dated now; where the last one's fields `kept` come in the query `asked`, it goes on from that. And
    whether it does.
    """
    moment = local(now)
    values = {
        "nonce": secrets.token_urlsafe(16),
        "received_on": format_date(moment.date()),
        "received_time": f"{moment:%H:%M}",
        "channel": "paper",
    }
    last = {name: value[:100] for name in kept if (value := asked.get(name))}
    return values | last, bool(last)


def onwards(address: str, document: Document, kept: Sequence[str]) -> str:
    """The address of a form that goes on from a document that was typed in: what a pile has in common, and nothing personal."""
    said = {name: document[name] for name in kept if document.get(name)}
    said["received_on"] = format_date(local(document["received_at"]).date())
    return f"{address}?{urlencode(said)}"
