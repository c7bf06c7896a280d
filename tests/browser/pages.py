"""Every page that there is: the GET routes of the four services, and addresses of each, found by following links as people do."""

import os
import re
from collections import Counter, deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from unittest import mock
from urllib.parse import urljoin, urlsplit

import httpx
from fastapi.routing import iter_route_contexts
from starlette.routing import compile_path

from cli.browser import Page
from cli.demo.serve import application
from cli.serve import Service
from deploy.local.stack import ENV_PREFIX, SECRETS
from kit.clock import system_clock

APART = {
    "/{agency}/tiep-nhan/thu-dien-tu/{mail}": "a mail: the stack of the survey has no mailbox",
    "/{agency}/tiep-nhan/thu-dien-tu/{mail}/phieu/{number}/phan-anh": "the same, to be made feedback",
    "/{agency}/tra-cuu/noi-dung/{no}": "a content that may still be changed: after the journey there is none",
    "/{agency}/tiep-nhan/phieu/{case}/noi-dung/{no}": "the same, for staff who act for somebody",
    "/{agency}/tra-cuu/ban-sao": "a copy of one's data, when the office has granted it",
    "/{agency}/tiep-nhan/yeu-cau-du-lieu/{request_id}/ban-sao": "the copy that the office hands over",
}
"""Pages that a survey does not come by; tests/browser/test_pages.py looks at them in a state of their own."""
NO_PAGES = {
    **APART,
    "/healthz": "asked by machines",
    "/readyz": "asked by machines",
    "/metrics": "asked by machines",
    "/static/{name}": "files of the design system; each page has them",
    "/robots.txt": "asked by machines",
    "/{agency}/sitemap.xml": "asked by machines",
    "/{agency}/bieu-trung.svg": "the agency's emblem, where its file has one",
    "/{agency}/tiep-nhan/dang-cho": "numbers that the script of the staff's bar asks for",
    "/{agency}/thu-thach": "the challenge that the form's script solves",
    "/{agency}/can-bo/han-che/{question_id}/tep/{file_id}": "a registrant's file",
    "/{agency}/can-bo/noi-dung/{question_id}/tep/{file_id}": "a registrant's file",
    "/{agency}/can-bo/phieu/{case_id}/tep/{file_id}": "a registrant's file",
    "/{agency}/tiep-nhan/phan-anh/{feedback}/phieu-tiep-nhan.pdf": "a file, linked from the page of feedback typed in",
    "/{agency}/tiep-nhan/thu-dien-tu/{mail}/tep/{number}": "a mail's file",
    "/{agency}/tiep-nhan/thu-dien-tu/{mail}/thu-goc.eml": "a mail as it came",
    "/{agency}/tra-cuu/ban-sao.json": "a copy of one's data as a file",
    "/{agency}/can-bo/gia-han-phien": "renews a session and leads on; where it cannot, it is the sign-in page",
    "/{agency}/can-bo/tim": "leads to the case that was looked for, or back to the queue",
    "/{agency}/van-thu/thu/{_id}/phieu.pdf": "a file, while an invitation waits to be printed",
    "/{agency}": "what people type: leads to the agency's site",
    "/{agency}/bao-cao": "what people type: leads to the reports",
    "/{agency}/van-thu": "what people type: leads to the mail desk",
}
"""GET routes that no link has to lead to, and why. A page that none leads to is no such route: it is a start of a survey."""
_BUILT_OF = re.compile(r'\b(?:class|name|for)="([^"]*)"')
IDS = re.compile(r"[0-9a-f-]{32,}|[0-9]+")
"""What differs between two addresses of one kind."""


@dataclass(frozen=True, slots=True)
class Route:
    """What a service answers a GET with."""

    service: Service
    path: str
    pattern: re.Pattern[str]


@cache
def routes() -> tuple[Route, ...]:
    """The GET routes of the four services, in the order in which they are tried."""
    environment = {ENV_PREFIX + name.upper(): "x" * 40 for name in SECRETS}
    with mock.patch.dict(os.environ, environment):
        applications = {service: application(service, system_clock) for service in Service}
    return tuple(
        Route(service, route.path, compile_path(route.path)[0])
        for service, app in applications.items()
        for route in iter_route_contexts(app.routes)
        if route.path and "GET" in (route.methods or ())
    )


def route_of(address: str) -> Route | None:
    """The route that answers an address."""
    path = urlsplit(address).path
    return next((route for route in routes() if route.pattern.match(path)), None)


@dataclass(frozen=True, slots=True)
class Found:
    """A page to look at: its address below the site, and who may open it ("": everybody)."""

    address: str
    who: str = ""


@dataclass
class Survey:
    """What following links has found. `broken`: links that lead to no good answer, each with the page that it stands on."""

    pages: list[Found] = field(default_factory=list)
    reached: set[str] = field(default_factory=set)
    broken: list[str] = field(default_factory=list)
    _shapes: dict[str, list[frozenset[str]]] = field(default_factory=dict)

    def note(self, route: Route, found: Found, html: str, kept: int) -> None:
        """Keep a page, unless one that is built of the same parts is kept already."""
        shape = frozenset(IDS.sub("#", name) for name in _BUILT_OF.findall(html))
        shapes = self._shapes.setdefault(route.path, [])
        if shape not in shapes and len(shapes) < kept:
            shapes.append(shape)
            self.pages.append(found)

    def forgotten(self, services: Collection[Service] = tuple(Service)) -> list[str]:
        """Routes that no link has led to and that nobody has said need none."""
        known = self.reached | NO_PAGES.keys()
        return sorted({route.path for route in routes() if route.service in services} - known)


async def survey(
    people: Mapping[str, httpx.AsyncClient],
    starts: Mapping[str, Iterable[str]],
    services: Collection[Service] = tuple(Service),
    *,
    asked: int = 8,
    kept: int = 2,
) -> Survey:
    """Follow the links of each of the `people` from where they start, within `services`.

    Of the addresses of a route a member of staff opens the first `asked`, everybody ("") all of them. Of those that are built
    differently the first `kept` are looked at: a case before and after its transfer, a list with and without lines.
    """
    found = Survey()
    for who, client in people.items():
        opened = Counter[str]()
        waiting = deque((address, "the start") for address in starts[who])
        known = {address for address, _ in waiting}
        while waiting:
            address, source = waiting.popleft()
            route = route_of(address)
            if route is not None and (route.service not in services or (who and opened[route.path] >= asked)):
                continue
            answer = await client.get(address, follow_redirects=True)
            if route is None or answer.status_code >= 400:
                found.broken.append(f"{who or 'everybody'}: {source} leads to {address}: {answer.status_code}")
                continue
            opened[route.path] += 1
            here = _local(str(answer.url))
            route = route_of(here) or route
            found.reached.add(route.path)
            if "html" not in answer.headers.get("content-type", ""):
                continue
            found.note(route, Found(here, who), answer.text, kept)
            for target in _links(answer):
                if target not in known:
                    known.add(target)
                    waiting.append((target, here))
    return found


def _links(answer: httpx.Response) -> list[str]:
    """Addresses on this site that a page links to."""
    here = str(answer.url)
    targets = [urljoin(here, href) for href, _ in Page(answer).links]
    return [_local(target) for target in targets if urlsplit(target).netloc == urlsplit(here).netloc]


def _local(url: str) -> str:
    parts = urlsplit(url)
    return parts.path + (f"?{parts.query}" if parts.query else "")
