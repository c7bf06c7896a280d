"""A browser without a window: follows links and sends forms as a person's would, for the demo and for end-to-end checks.

It knows nothing of the services: a form's hidden fields, tokens and defaults are read from the page, as a browser does.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin

import httpx

Values = list[tuple[str, str]]
Files = Mapping[str, tuple[str, bytes, str]]


class UnexpectedAnswer(Exception):
    """A page that is not what a person would have got."""


@dataclass
class Form:
    """A form of a page: where it goes, and what its fields hold."""

    action: str
    method: str = "get"
    values: Values = field(default_factory=list)
    names: set[str] = field(default_factory=set)


class _Reader(HTMLParser):
    """Collects the forms and the text of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.text: list[str] = []
        self.links: list[tuple[str, str]] = []
        self._form: Form | None = None
        self._select: str | None = None
        self._textarea: str | None = None
        self._written: list[str] = []
        self._href: str | None = None

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        name, value = given.get("name") or "", given.get("value") or ""
        if tag == "form":
            self._form = Form(given.get("action") or "", (given.get("method") or "get").lower())
            self.forms.append(self._form)
        elif tag == "a":
            self._href, self._written = given.get("href"), []
        elif self._form is None:
            return
        elif tag == "input" and name:
            self._form.names.add(name)
            kind = given.get("type") or "text"
            if kind in ("checkbox", "radio") and "checked" not in given:
                return
            if kind not in ("submit", "file", "button"):
                self._form.values.append((name, value or ("on" if kind == "checkbox" else "")))
        elif tag == "select":
            self._form.names.add(name)
            self._select = name
        elif tag == "option" and self._select and "selected" in given:
            self._form.values.append((self._select, value))
        elif tag == "textarea":
            self._form.names.add(name)
            self._textarea, self._written = name, []

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "select":
            self._select = None
        elif tag == "textarea" and self._textarea and self._form:
            self._form.values.append((self._textarea, "".join(self._written).removeprefix("\n")))
            self._textarea = None
        elif tag == "a" and self._href is not None:
            self.links.append((self._href, " ".join("".join(self._written).split())))
            self._href = None

    def handle_data(self, data: str) -> None:
        self.text.append(data)
        self._written.append(data)


class Page:
    """What came back: status, text without tags, forms, links."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.status = response.status_code
        self.url = str(response.url)
        reader = _Reader()
        if "html" in response.headers.get("content-type", ""):
            reader.feed(response.text)
        self.text = " ".join(" ".join(reader.text).split())
        self.forms = reader.forms
        self.links = reader.links

    def form(self, action: str = "", having: str = "") -> Form:
        """The first form whose action contains `action` and that has a field named `having`. Raises `UnexpectedAnswer`."""
        for form in self.forms:
            if action in (form.action or self.url) and (not having or having in form.names):
                return form
        raise UnexpectedAnswer(f"{self.url} has no form {action!r} with {having!r}")

    def link(self, containing: str) -> str:
        """The first link whose address contains `containing`."""
        for href, _ in self.links:
            if containing in href:
                return urljoin(self.url, href)
        raise UnexpectedAnswer(f"{self.url} has no link to {containing!r}")


class Browser:
    """One person's browser: cookies are kept, redirects followed."""

    def __init__(self, base: str, *, timeout: float = 15.0) -> None:
        self._client = httpx.Client(base_url=base, follow_redirects=True, timeout=timeout)

    def get(self, path: str, *, status: int = 200) -> Page:
        """A page. Raises `UnexpectedAnswer` when the status is another."""
        return _expect(Page(self._client.get(path)), status)

    def download(self, path: str) -> httpx.Response:
        """A file. Raises `UnexpectedAnswer` when it is not given."""
        answer = self._client.get(path)
        _expect(Page(answer), 200)
        return answer

    def send(
        self,
        page: Page,
        form: Form,
        changes: Mapping[str, Any] | None = None,
        *,
        files: Files | None = None,
        status: int = 200,
    ) -> Page:
        """Send a form with some fields filled in; a list value sends the field several times, None leaves it out."""
        values = [(name, value) for name, value in form.values if name not in (changes or {})]
        values += [(name, one) for name, value in (changes or {}).items() for one in _many(value)]
        data: dict[str, list[str]] = {}
        for name, value in values:
            data.setdefault(name, []).append(value)
        target = urljoin(page.url, form.action) if form.action else page.url
        if form.method == "get":
            return _expect(Page(self._client.get(target, params=data)), status)
        return _expect(Page(self._client.post(target, data=data, files=files)), status)

    def submit(self, path: str, action: str, changes: Mapping[str, Any], *, having: str = "", status: int = 200) -> Page:
        """Open a page and send its form."""
        page = self.get(path)
        return self.send(page, page.form(action, having), changes, status=status)

    def close(self) -> None:
        """Close its connections."""
        self._client.close()


def _many(value: Any) -> Iterable[str]:
    if value is None:
        return ()
    return [str(v) for v in value] if isinstance(value, (list, tuple)) else [str(value)]


def _expect(page: Page, status: int) -> Page:
    if page.status != status:
        raise UnexpectedAnswer(f"{page.url} answered {page.status} instead of {status}: {page.text[:300]}")
    return page
