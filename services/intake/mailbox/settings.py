"""The agencies' mailboxes, from one setting: a JSON object of agency code → mailbox."""

import json
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr
from pydantic_settings import NoDecode


class Mailbox(BaseModel):
    """How one agency's mailbox is reached, and what is done there with a mail that has been taken. None is ever deleted."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    host: str
    port: int = 993
    security: Literal["tls", "starttls", "none"] = "tls"
    user: str
    password: SecretStr
    folder: str = "INBOX"
    after: Literal["mark", "move"] = Field(
        "mark", description=r"mark: \Seen and a keyword of ours; move: to `done_folder`, where a server keeps no keywords"
    )
    done_folder: str = "DaTiepNhan"
    since: date | None = Field(None, description="Older mails are left alone, for a mailbox that was in use before")
    ca_file: Path | None = Field(None, description="Certificates to trust; None: those of the system")


def _read(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value) if value.strip() else {}
    except ValueError:
        raise ValueError("not a JSON object of agency code and mailbox") from None


Mailboxes = Annotated[dict[str, Mailbox], NoDecode, BeforeValidator(_read)]
