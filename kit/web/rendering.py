"""Pages: Jinja2 with autoescape; an undefined name is an error; layout, macros and style are the same in every service."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import phonenumbers
from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from rcssmin import cssmin
from rjsmin import jsmin
from starlette.responses import HTMLResponse

from kit import clock
from kit.auth import Session
from kit.tracing import current_trace
from kit.web.forms import Submitted, Vouching
from kit.web.navigation import COUNTS, Entry, public_entries, sections_for
from kit.web.policy import WITH_SCRIPT

HERE = Path(__file__).parent
STATIC = HERE / "static"


@dataclass(frozen=True, slots=True)
class AgencyFace:
    """What every page shows of the agency. `name` is whole: Sở Khoa học và Công nghệ tỉnh Sơn La."""

    code: str
    name: str
    superior: str = ""
    address: str = ""
    phone: str = ""
    email: str = ""
    hours: str = ""
    hotline: str = ""
    """For feedback (K2); "": `phone`."""
    emblem: str = ""
    """Address of its own emblem; "": the product's."""


def _lean(file: Path) -> bytes:
    """As browsers are sent it: without what is there for whoever reads the source, but with licences (`/*!`)."""
    made_lean: Callable[..., str] | None = {".css": cssmin, ".js": jsmin}.get(file.suffix)
    text = file.read_text(encoding="utf-8")
    return (made_lean(text, keep_bang_comments=True) if made_lean else text).encode()


STATIC_FILES: Mapping[str, bytes] = {file.name: _lean(file) for file in sorted(STATIC.iterdir()) if file.is_file()}
STATIC_HASHES: Mapping[str, str] = {name: hashlib.sha256(content).hexdigest()[:16] for name, content in STATIC_FILES.items()}


def static_url(name: str) -> str:
    """Address of a static file with the hash of its content, so that browsers may keep it for ever."""
    return f"/static/{name}?v={STATIC_HASHES[name]}"


def _date(value: date | datetime) -> date:
    return clock.local_date(value) if isinstance(value, datetime) else value


@lru_cache(maxsize=64)  # every mail and page shows the agency's own
def format_phone(value: str) -> str:
    """0912 345 678 of +84912345678; anything else as it is."""
    try:
        number = phonenumbers.parse(value, "VN")
    except phonenumbers.NumberParseException:
        return value
    national = number.country_code == 84
    kind = phonenumbers.PhoneNumberFormat.NATIONAL if national else phonenumbers.PhoneNumberFormat.INTERNATIONAL
    return phonenumbers.format_number(number, kind)


def format_number(value: int) -> str:
    """1.234.567."""
    return f"{value:,}".replace(",", ".")


def format_size(size: int) -> str:
    """850 KB, 1,4 MB: of a file, in bytes."""
    if size < 1_000_000:
        return f"{max(1, round(size / 1000))} KB"
    return f"{size / 1_000_000:.1f} MB".replace(".", ",")


FILTERS: Mapping[str, Callable[..., str]] = {
    "date": lambda v: clock.format_date(_date(v)),
    "date_long": lambda v: clock.format_date_long(_date(v)),
    "date_in_words": lambda v: clock.format_date_in_words(_date(v)),
    "time": clock.format_time,
    "moment": clock.format_moment,
    "moment_long": clock.format_moment_long,
    "iso": lambda v: v.isoformat(),
    "phone": format_phone,
    "number": format_number,
    "size": format_size,
}


class Templates:
    """The pages of a service: its own directory first, then the kit's. `faces` finds an agency's face by code for error pages;
    `waiting` tells what waits for an agency's office: path of a section → how many; without it the page's script asks intake.
    """

    def __init__(
        self,
        *directories: Path,
        faces: Callable[[str], AgencyFace | None] | None = None,
        waiting: Callable[[str], Mapping[str, int]] | None = None,
    ) -> None:
        self._faces = faces
        self._waiting = waiting
        self.environment = Environment(
            loader=FileSystemLoader([*directories, HERE / "templates"]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.environment.filters.update(FILTERS)
        self.environment.globals["static_url"] = static_url
        self.environment.globals["counts_page"] = COUNTS

    def render(self, name: str, **context: Any) -> str:
        """The text of a template."""
        return self.environment.get_template(name).render(**context)

    def page(
        self,
        request: Request,
        name: str,
        *,
        agency: AgencyFace | None,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        **context: Any,
    ) -> HTMLResponse:
        """A page. Every template has `agency`, `session` and `csrf` (of the signed-in member of staff, if any),
        `navigation`, `public_navigation`, `path`, `trace`, `vouching` (what the form that is answered brought), and, unless
        given, `values` and `errors` (empty) and `flash` (None).
        """
        session: Session | None = getattr(request.state, "session", None)
        submitted: Submitted | None = getattr(request.state, "submitted", None)
        defaults: dict[str, Any] = {
            "agency": agency,
            "session": session,
            "csrf": getattr(request.state, "csrf", ""),
            "navigation": self._sections(session, request.url.path) if session else (),
            "public_navigation": public_entries(agency.code, request.url.path) if agency else (),
            "path": request.url.path,
            "trace": current_trace(),
            "vouching": submitted.vouching if submitted else Vouching(),
            "values": {},
            "errors": {},
            "flash": None,
        }
        text = self.render(name, **(defaults | context))
        # Autoescape makes sure that only our templates can have written this.
        policy = {"Content-Security-Policy": WITH_SCRIPT} if '<script src="/static/' in text else {}
        return HTMLResponse(text, status, {**(headers or {}), **policy})

    def _sections(self, session: Session, path: str) -> tuple[Entry, ...]:
        return sections_for(session, path, self._waiting(session.agency) if self._waiting else None)

    def face_for(self, request: Request) -> AgencyFace | None:
        """The face of the agency in the path, if it is one of ours."""
        return self._faces(request.url.path.split("/")[1]) if self._faces else None
