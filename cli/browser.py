"""A browser without a window: follows links and sends forms as a person's would, for the demo and for end-to-end checks.

It knows nothing of the services: a form's hidden fields, tokens and defaults are read from the page, as a browser does, and a
form's proof of work is made as the page's script makes it.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any, Self
from urllib.parse import urljoin, urlsplit

import httpx
from altcha import Challenge, Payload, solve_challenge

Values = list[tuple[str, str]]
Files = Mapping[str, tuple[str, bytes, str]]
_HEADINGS = ("h1", "h2", "h3", "h4")


class UnexpectedAnswer(Exception):
    """A page that is not what a person would have got."""


@dataclass
class Form:
    """A form of a page: where it goes, what its fields hold as shown, what selects, radios, checkboxes and buttons offer, and its
    challenge, if it has one.
    """

    action: str
    method: str = "get"
    values: Values = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    options: dict[str, list[str]] = field(default_factory=dict)
    challenge: str = ""

    def value(self, name: str) -> str:
        """What the field shows; "" when it is empty, not ticked or not there."""
        return next((value for known, value in self.values if known == name), "")

    def prove(self) -> None:
        """Make the proof of work that its page asks for, once."""
        if not self.challenge:
            return
        challenge = Challenge.from_dict(json.loads(self.challenge))
        solution = solve_challenge(challenge)
        if solution is None:
            raise UnexpectedAnswer("the proof of work takes too long")
        self.challenge = ""
        self.values = [("altcha", Payload(challenge, solution).to_base64()), *(v for v in self.values if v[0] != "altcha")]


@dataclass
class Row:
    """A line of a table: the texts of its cells, the addresses that it leads to."""

    cells: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)


@dataclass
class Table:
    """A table with the heading that stands above it; `columns` is its first line when that is in the table's head."""

    heading: str
    columns: list[str] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)


class _Reader(HTMLParser):
    """Collects forms, links, tables, headings and the text of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.links: list[tuple[str, str]] = []
        self.tables: list[Table] = []
        self.text: list[str] = []
        self._form: Form | None = None
        self._select: str | None = None
        self._chosen: str | None = None
        self._textarea: str | None = None
        self._href: str | None = None
        self._row: Row | None = None
        self._heading = ""
        self._written: dict[str, list[str]] = {}
        """The text of each element that is being read, by its tag."""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        name = given.get("name", "")
        match tag:
            case "form":
                self._form = Form(given.get("action", ""), (given.get("method") or "get").lower())
                self.forms.append(self._form)
            case "a":
                self._href = given.get("href")
                self._written["a"] = []
                if self._row is not None and self._href:
                    self._row.links.append(self._href)
            case "h1" | "h2" | "h3" | "h4" | "td" | "th":
                self._written[tag] = []
            case "table":
                self.tables.append(Table(self._heading))
            case "tr":
                self._row = Row()
            case "div" if self._form is not None and "data-challenge" in given:
                self._form.challenge = given["data-challenge"]
            case _ if self._form is not None:
                self._field(self._form, tag, name, given)

    def _field(self, form: Form, tag: str, name: str, given: Mapping[str, str]) -> None:
        if tag == "option" and self._select:
            value = given.get("value", "")
            form.options[self._select].append(value)
            if "selected" in given:
                self._chosen = value
        if not name:
            return
        if tag == "button":
            form.options.setdefault(name, []).append(given.get("value", ""))
        elif tag == "input":
            kind = given.get("type") or "text"
            form.names.add(name)
            if kind in ("checkbox", "radio"):
                form.options.setdefault(name, []).append(given.get("value", "on"))
            if kind in ("submit", "button", "file") or (kind in ("checkbox", "radio") and "checked" not in given):
                return
            form.values.append((name, given.get("value", "on" if kind == "checkbox" else "")))
        elif tag == "select":
            form.names.add(name)
            form.options[name] = []
            self._select, self._chosen = name, None
        elif tag == "textarea":
            form.names.add(name)
            self._textarea = name
            self._written["textarea"] = []

    def handle_endtag(self, tag: str) -> None:
        if tag in _HEADINGS:
            self._heading = _line(self._written.pop(tag, []))
        elif tag in ("td", "th") and self._row is not None:
            self._row.cells.append(_line(self._written.pop(tag, [])))
        elif tag == "thead" and self.tables and self.tables[-1].rows:
            self.tables[-1].columns = self.tables[-1].rows.pop().cells
        elif tag == "tr" and self._row is not None and self.tables:
            self.tables[-1].rows.append(self._row)
            self._row = None
        elif tag == "a" and self._href is not None:
            self.links.append((self._href, _line(self._written.pop("a", []))))
            self._href = None
        elif self._form is not None:
            self._end_of_field(self._form, tag)

    def _end_of_field(self, form: Form, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "textarea" and self._textarea:
            form.values.append((self._textarea, "".join(self._written.pop("textarea", [])).removeprefix("\n")))
            self._textarea = None
        elif tag == "select" and self._select:
            first = next(iter(form.options[self._select]), "")
            form.values.append((self._select, first if self._chosen is None else self._chosen))
            self._select = None

    def handle_data(self, data: str) -> None:
        self.text.append(data)
        for written in self._written.values():
            written.append(data)


def _line(parts: Iterable[str]) -> str:
    return " ".join("".join(parts).split())


class Page:
    """What came back: status, text without tags, forms, links, tables."""

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
        self.tables = reader.tables

    def form(self, action: str = "", having: str = "") -> Form:
        """The first form whose action contains `action` and that has a field named `having`. Raises `UnexpectedAnswer`."""
        for form in self.forms:
            if action in (form.action or self.url) and (not having or having in form.names):
                return form
        raise UnexpectedAnswer(f"{self.url} has no form {action!r} with {having!r}: {self.text[:300]}")

    def link(self, containing: str, text: str = "") -> str:
        """The first link whose address contains `containing` and whose words contain `text`. Raises `UnexpectedAnswer`."""
        for href, words in self.links:
            if containing in href and text in words:
                return urljoin(self.url, href)
        raise UnexpectedAnswer(f"{self.url} has no link to {containing!r} {text!r}: {self.text[:300]}")

    def table(self, heading: str) -> Table:
        """The first table below a heading that contains `heading`. Raises `UnexpectedAnswer`."""
        for table in self.tables:
            if heading in table.heading:
                return table
        raise UnexpectedAnswer(f"{self.url} has no table below {heading!r}: {self.text[:300]}")


class Browser:
    """One person's browser: cookies are kept, redirects followed."""

    def __init__(self, base: str, *, timeout: float = 15.0) -> None:
        self._client = httpx.Client(base_url=base, follow_redirects=True, timeout=timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def get(self, path: str, *, status: int = 200) -> Page:
        """A page. Raises `UnexpectedAnswer` when the status is another."""
        return _expect(Page(self._client.get(path)), status)

    def status(self, path: str) -> int:
        """The status of a page that may not be this person's."""
        return self._client.get(path).status_code

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
        changes = changes or {}
        form.prove()
        data: dict[str, list[str]] = {}
        for name, value in form.values:
            if name not in changes:
                data.setdefault(name, []).append(value)
        for name, value in changes.items():
            data[name] = _many(value)
        target = urljoin(page.url, form.action) if form.action else page.url
        if form.method == "get":
            return _expect(Page(self._client.get(target, params=data)), status)
        # A browser names the page that a form was sent from.
        sent_from = urlsplit(page.url)
        headers = {"Origin": f"{sent_from.scheme}://{sent_from.netloc}", "Referer": page.url}
        return _expect(Page(self._client.post(target, data=data, files=files, headers=headers)), status)

    def submit(
        self, path: str, action: str, changes: Mapping[str, Any] | None = None, *, having: str = "", status: int = 200
    ) -> Page:
        """Open a page and send its form."""
        page = self.get(path)
        return self.send(page, page.form(action, having), changes, status=status)

    def close(self) -> None:
        """Close its connections."""
        self._client.close()


def _many(value: Any) -> list[str]:
    if value is None:
        return []
    return [str(v) for v in value] if isinstance(value, (list, tuple)) else [str(value)]


def _expect(page: Page, status: int) -> Page:
    if page.status != status:
        raise UnexpectedAnswer(f"{page.url} answered {page.status} instead of {status}: {page.text[:400]}")
    return page
