"""Is a page good for everybody? What axe finds, and what it cannot see: on a desk, on a phone, with large letters, on paper."""

import asyncio
import re
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from playwright.async_api import Browser, BrowserContext, Error, Page, ViewportSize

from tests.browser.pages import IDS, Found, route_of
from tests.browser.visiting import COMPLAINTS

DESK: ViewportSize = {"width": 1280, "height": 900}
PHONE: ViewportSize = {"width": 320, "height": 640}
"""WCAG 1.4.10: nothing is lost, and nothing scrolls sideways, at 320 CSS pixels."""
_PICTURES: Mapping[str, ViewportSize] = {"dien-thoai": {"width": 390, "height": 844}, "may-tinh": DESK}
_AT_ONCE = 2
_ALL_RULES = {
    "resultTypes": ["violations"],
    "preload": False,
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]},
    "rules": {"target-size": {"enabled": True}},  # axe leaves out what is new in WCAG 2.2 unless it is named
}
_RULES_OF_LOOKS = {
    "resultTypes": ["violations"],
    "preload": False,
    "runOnly": {"type": "rule", "values": ["color-contrast", "target-size", "scrollable-region-focusable", "link-in-text-block"]},
}
"""What can be right on a desk and wrong on a phone."""

# What cannot be read any more when letters are twice as large (WCAG 1.4.4).
_WITH_LARGE_LETTERS = """() => {
  const found = [], root = document.documentElement;
  root.style.fontSize = '200%';
  if (root.scrollWidth > window.innerWidth) {
    const out = [...document.querySelectorAll('body *')].find(
      (e) => e.getBoundingClientRect().right > window.innerWidth && !e.closest('.scroll'));
    found.push(`with large letters ${root.scrollWidth} px wide: ${out ? out.outerHTML.slice(0, 90) : ''}`);
  }
  for (const e of document.querySelectorAll('body *:not(input, select, textarea, svg *)')) {
    const cut = e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 1 && getComputedStyle(e).overflowX !== 'visible';
    if (cut && !e.closest('.scroll') && e.textContent.trim()) found.push(`cut off when large: ${e.outerHTML.slice(0, 90)}`);
  }
  root.style.fontSize = '';
  return found;
}"""

# What a page of the public site weighs with all that shows it, before compression; a worker comes when somebody writes.
BUDGET = 50_000
_WEIGHT = """() => {
  if (!document.body.matches('.public')) return 0;
  const shows = (e) => ['navigation', 'link', 'script', 'img', 'css'].includes(e.initiatorType);
  return performance.getEntries().filter(shows).reduce((sum, e) => sum + e.decodedBodySize, 0);
}"""

# What nobody can press on paper.
_ON_PAPER = """() => {
  const printed = [...document.querySelectorAll('nav, button, .skip')].filter((e) => e.checkVisibility());
  return printed.map((e) => `printed: ${e.outerHTML.slice(0, 90)}`);
}"""

# The forms that have something to fill in; one that is a button alone does what it says, without a question.
_FORMS = """() => [...document.forms].map((form, n) => ({
  n,
  action: new URL(form.getAttribute('action') || location.href, location.href).pathname,
  fields: [...form.elements].filter((e) => e.name && !['hidden', 'submit'].includes(e.type)).map((e) => e.name),
})).filter((form) => form.fields.length)"""

_SEND = """([address, fields]) => {
  const form = Object.assign(document.createElement('form'), {method: 'post', action: address});
  for (const [name, value] of Object.entries(fields)) form.append(Object.assign(document.createElement('input'), {name, value}));
  document.body.append(form);
  form.submit();
}"""

_SEND_EMPTY = """(n) => {
  const form = document.forms[n];
  for (const e of form.elements) {
    if (['checkbox', 'radio'].includes(e.type)) e.checked = false;
    else if (!['hidden', 'submit', 'select-one'].includes(e.type)) e.value = '';
  }
  form.noValidate = true;
  form.requestSubmit(form.querySelector('button:not([type=button])'));
}"""


async def judge(page: Page) -> list[str]:
    """What is wrong with the page as it is; afterwards it is as it was."""
    size = page.viewport_size
    await page.set_viewport_size(DESK)
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE_SCRIPT)
    found: list[str] = await page.evaluate(COMPLAINTS)
    if (weight := await page.evaluate(_WEIGHT)) > BUDGET:
        found.append(f"{weight} bytes to show it")
    found += await _axe(page, _ALL_RULES)
    found += await page.evaluate(_WITH_LARGE_LETTERS)
    await page.set_viewport_size(PHONE)
    found += await page.evaluate(COMPLAINTS)
    found += await _axe(page, _RULES_OF_LOOKS)
    await page.emulate_media(media="print")
    found += await page.evaluate(_ON_PAPER)
    await page.emulate_media(media="screen")
    if size:
        await page.set_viewport_size(size)
    return list(dict.fromkeys(found))


async def _axe(page: Page, options: Mapping[str, Any]) -> list[str]:
    result = await page.evaluate("(options) => axe.run(options)", options)
    return [
        f"axe, {rule['id']}: {node['html'][:120]}: {node.get('failureSummary', '')}"
        for rule in result["violations"]
        for node in rule["nodes"]
    ]


@dataclass
class Judged:
    """The site's pages, looked at one by one. `complaints`: page → what is wrong with it; a good page has no entry."""

    browser: Browser
    site: str
    sessions: Mapping[str, list[Any]]
    """Who → the cookies of somebody who has signed in."""
    screens: Path | None = None
    complaints: dict[str, list[str]] = field(default_factory=dict)
    titles: dict[tuple[bool, str], set[str]] = field(default_factory=dict)
    """(for staff, title) → the routes of the pages that have it: one title tells no two kinds of page apart (WCAG 2.4.2)."""

    async def look_at(self, found: Collection[Found]) -> None:
        """Each page as it is opened, and what comes when its forms are sent with nothing in them, each kind of form once."""
        contexts = {who: await self._context(who) for who in {page.who for page in found}}
        forms: dict[tuple[str, ...], tuple[Found, int]] = {}

        async def opened(one: Found, page: Page) -> None:
            answer = await page.goto(self.site + one.address)
            await self._judge(page, one.address, answer.status if answer else 0)
            route = route_of(one.address)
            title = (bool(one.who), await page.title())
            self.titles.setdefault(title, set()).add(route.path if route else one.address)
            for form in await page.evaluate(_FORMS):
                kind = (IDS.sub("#", form["action"]), *sorted(set(form["fields"])))
                forms.setdefault(kind, (one, form["n"]))

        async def sent_empty(one: Found, page: Page, n: int) -> None:
            await page.goto(self.site + one.address)
            async with page.expect_navigation() as answer:
                await page.evaluate(_SEND_EMPTY, n)
            await self._judge(page, f"{one.address}, form {n} sent empty", (await answer.value).status)

        await self._each((one, contexts[one.who], partial(opened, one)) for one in found)
        await self._each((one, contexts[one.who], partial(sent_empty, one, n=n)) for one, n in forms.values())
        for context in contexts.values():
            await context.close()

    async def sent(self, page: Page, address: str, fields: Mapping[str, str]) -> None:
        """What a form is answered with, of which no address shows the like. `page` stands on the site, and then on the answer."""
        async with page.expect_navigation() as answer:
            await page.evaluate(_SEND, [self.site + address, fields])
        await self._judge(page, f"{address}, answered with {await page.title()}", (await answer.value).status)

    def report(self) -> str:
        """What is wrong, page by page; "" when all are good."""
        pages = [f"{name}\n" + "\n".join(f"    {one}" for one in found) for name, found in sorted(self.complaints.items())]
        titles = [f"one title for {sorted(routes)}: {title}" for (_, title), routes in self.titles.items() if len(routes) > 1]
        return "\n".join([*pages, *titles])

    async def _context(self, who: str) -> BrowserContext:
        context = await self.browser.new_context(locale="vi-VN", reduced_motion="reduce", viewport=DESK)
        context.set_default_timeout(15_000)
        await context.add_init_script(AXE_SCRIPT)
        await context.add_cookies(self.sessions.get(who, []))
        return context

    async def _each(self, visits: Iterable[tuple[Found, BrowserContext, Callable[[Page], Awaitable[None]]]]) -> None:
        """All visits, a few at a time, in windows that are used again; one that cannot be made is a complaint about its page."""
        turns = asyncio.Semaphore(_AT_ONCE)
        idle: defaultdict[BrowserContext, list[Page]] = defaultdict(list)

        async def visit(one: Found, context: BrowserContext, look: Callable[[Page], Awaitable[None]]) -> None:
            async with turns:
                page = idle[context].pop() if idle[context] else await context.new_page()
                try:
                    await look(page)
                except Error as error:
                    self.complaints.setdefault(one.address, []).append(f"cannot be looked at: {error}")
                    await page.close()
                else:
                    idle[context].append(page)

        await asyncio.gather(*(visit(*one) for one in visits))
        for page in (page for pages in idle.values() for page in pages):
            await page.close()

    async def _judge(self, page: Page, name: str, status: int) -> None:
        found = await judge(page)
        if status >= 500:
            found.insert(0, f"answered {status}")
        if found:
            self.complaints[name] = found
        if self.screens:
            await picture(page, self.screens, name)


async def picture(page: Page, directory: Path, name: str) -> None:
    """The whole page on a phone and on a desk, as PNG files."""
    file = re.sub(r"\W+", "-", name.strip("/")).strip("-")[:120] or "trang-chu"
    for width, size in _PICTURES.items():
        await page.set_viewport_size(size)
        await page.screenshot(path=directory / width / f"{file}.png", full_page=True)
