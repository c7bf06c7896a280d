"""A mail catcher: every message becomes a file, and a page shows them.

`python -m deploy.local.mail --smtp-port N --web-port N --dir PATH`. It delivers nothing, so sample data can never write to
anybody. Envelope recipients are kept in the header `X-RcptTo`, one address a line of the message.
"""

import argparse
import asyncio
import email
import email.policy
import re
import time
import uuid
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from pathlib import Path
from zoneinfo import ZoneInfo

import uvicorn
from aiosmtpd.smtp import SMTP, Envelope, Session
from fastapi import FastAPI, HTTPException, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader

from deploy.local.ports import HOST

TEMPLATES = Path(__file__).parent / "templates"
TIME_ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
MAX_MESSAGE = 40 * 2**20
SHOWN = 100
NAME = re.compile(r"[0-9a-f-]+")


@dataclass(frozen=True)
class CaughtMail:
    """One message as the pages show it."""

    name: str
    at: datetime
    message: EmailMessage

    @property
    def recipients(self) -> str:
        return ", ".join(self.message.get_all("X-RcptTo", []))

    @property
    def subject(self) -> str:
        return str(self.message["Subject"] or "")

    @property
    def text(self) -> str:
        return _content(self.message.get_body(("plain",)))

    @property
    def html(self) -> str:
        return _content(self.message.get_body(("html",)))

    @property
    def attachments(self) -> list[EmailMessage]:
        return [part for part in self.message.walk() if part.get_filename() and isinstance(part, EmailMessage)]


def _content(part: object) -> str:
    return str(part.get_content()) if isinstance(part, EmailMessage) else ""


class Mailbox:
    """A directory with one .eml file for each message; names sort by time of arrival."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory

    def keep(self, recipients: list[str], content: bytes) -> None:
        name = f"{time.time_ns():020d}-{uuid.uuid4().hex[:8]}"
        header = "".join(f"X-RcptTo: {address}\r\n" for address in recipients).encode("ascii", "replace")
        draft = self._directory / f"{name}.tmp"
        draft.write_bytes(header + content)
        draft.replace(self._directory / f"{name}.eml")

    def newest(self) -> list[CaughtMail]:
        names = sorted((path.stem for path in self._directory.glob("*.eml")), reverse=True)
        return [self.read(name) for name in names[:SHOWN]]

    def read(self, name: str) -> CaughtMail:
        """Raises FileNotFoundError."""
        if not NAME.fullmatch(name):
            raise FileNotFoundError(name)
        with (self._directory / f"{name}.eml").open("rb") as file:
            message = email.message_from_binary_file(file, policy=email.policy.default)
        return CaughtMail(name, datetime.fromtimestamp(int(name.split("-")[0]) / 1e9, TIME_ZONE), message)


class Catcher:
    """aiosmtpd's handler: 250 means that the file is there."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        await asyncio.to_thread(self._mailbox.keep, list(envelope.rcpt_tos), content)
        return "250 OK"


def create_app(mailbox: Mailbox) -> FastAPI:
    app = FastAPI(openapi_url=None)
    templates = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True)

    def find(name: str) -> CaughtMail:
        try:
            return mailbox.read(name)
        except FileNotFoundError:
            raise HTTPException(404) from None

    @app.get("/", response_class=HTMLResponse)
    def index() -> str:
        return templates.get_template("mailbox.html").render(mails=mailbox.newest(), limit=SHOWN)

    @app.get("/{name}", response_class=HTMLResponse)
    def show(name: str) -> str:
        return templates.get_template("mail.html").render(mail=find(name))

    @app.get("/{name}/{number}")
    def attachment(name: str, number: int) -> Response:
        parts = find(name).attachments
        if not 0 <= number < len(parts):
            raise HTTPException(404)
        payload = parts[number].get_payload(decode=True)
        return Response(
            payload if isinstance(payload, bytes) else b"",
            media_type=parts[number].get_content_type(),
            headers={"X-Content-Type-Options": "nosniff"},
        )

    return app


async def serve(smtp_port: int, web_port: int, directory: Path) -> None:
    mailbox = Mailbox(directory)
    catcher = Catcher(mailbox)
    smtp = await asyncio.get_running_loop().create_server(
        lambda: SMTP(catcher, data_size_limit=MAX_MESSAGE, enable_SMTPUTF8=True), HOST, smtp_port
    )
    async with smtp:
        config = uvicorn.Config(create_app(mailbox), host=HOST, port=web_port, log_level="warning", access_log=False)
        await uvicorn.Server(config).serve()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--smtp-port", type=int, required=True)
    parser.add_argument("--web-port", type=int, required=True)
    parser.add_argument("--dir", type=Path, required=True)
    options = parser.parse_args()
    asyncio.run(serve(options.smtp_port, options.web_port, options.dir))


if __name__ == "__main__":
    main()
