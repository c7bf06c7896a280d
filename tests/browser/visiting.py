"""A person in a real browser: every page opened is looked at for what everybody needs of a page."""

from collections.abc import Mapping
from datetime import datetime
from urllib.parse import unquote

from playwright.async_api import Browser, BrowserContext, Page, Response
from pydantic import SecretStr

from kit.auth import COOKIE, Expired, Session, SessionCodec

PHONE = 360
"""Width of a small phone, in CSS pixels."""
ELSEWHERE = "so-khcn.example"
"""A name that leads here, but not by https: browsers compute nothing for such a page."""

# Each complaint names what is wrong and where; an empty list is a good page.
COMPLAINTS = """() => {
  const found = [];
  const name = (e) => e.outerHTML.slice(0, 90);
  const shown = (e) => e.checkVisibility();
  const all = (selector) => [...document.querySelectorAll(selector)];
  if (document.documentElement.lang !== 'vi') found.push('language is not vi');
  if (!document.title.trim()) found.push('no title');
  const headings = all('h1').filter((h) => h.innerText.trim());
  if (headings.length !== 1) found.push(`${headings.length} main headings`);
  if (all('main').length !== 1) found.push('not one <main>');
  const ids = all('[id]').map((e) => e.id);
  for (const id of new Set(ids.filter((id, i) => ids.indexOf(id) !== i))) found.push(`id twice: ${id}`);
  for (const e of all('input:not([type=hidden]), select, textarea').filter((e) => !e.closest('[aria-hidden=true]'))) {
    const label = [...e.labels].find((label) => label.getBoundingClientRect().width > 1 && label.innerText.trim());
    const named = e.getAttribute('aria-label') && e.closest('td'); // the head of its column can be seen
    if (!label && !named && shown(e)) found.push(`no label to be seen: ${name(e)}`);
    if (!e.labels.length && !e.getAttribute('aria-label')) found.push(`no label: ${name(e)}`);
  }
  const describes = (e, about) => (about.getAttribute('aria-describedby') || '').split(' ').includes(e.id);
  for (const e of all('.field.wrong .error'))
    if (!all('[aria-describedby]').some((about) => describes(e, about))) found.push(`error of no field: ${name(e)}`);
  for (const e of all('[aria-invalid=true]'))
    if (!all('.error').some((error) => describes(error, e))) found.push(`nothing says what is wrong: ${name(e)}`);
  for (const e of all('label[for]'))
    if (!document.getElementById(e.htmlFor)) found.push(`label of nothing: ${name(e)}`);
  for (const e of all('[aria-describedby], [aria-labelledby]'))
    for (const attribute of ['aria-describedby', 'aria-labelledby'])
      for (const id of (e.getAttribute(attribute) || '').split(' ').filter(Boolean))
        if (!document.getElementById(id)) found.push(`${attribute} of nothing: ${name(e)}`);
  for (const e of all('a[href], button, summary'))
    if (!(e.textContent.trim() || e.getAttribute('aria-label'))) found.push(`no name: ${name(e)}`);
  for (const e of all('a[href^="#"]'))
    if (!document.getElementById(decodeURIComponent(e.hash.slice(1)))) found.push(`leads nowhere: ${name(e)}`);
  for (const e of all('img')) if (!e.hasAttribute('alt')) found.push(`no alternative text: ${name(e)}`);
  for (const e of all('table')) if (!e.caption?.textContent.trim()) found.push(`table without caption: ${name(e)}`);
  for (const e of all('th')) if (!e.scope) found.push(`heading of no row or column: ${name(e)}`);
  for (const e of all('form[method=post] button, .actions a').filter(shown))
    if (e.getBoundingClientRect().height < 24) found.push(`too small for a finger: ${name(e)}`);
  const reached = all('a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex]');
  if (!reached[0]?.matches('a.skip') || document.querySelector(reached[0].hash) !== document.querySelector('main'))
    found.push('the first stop does not lead to the content');
  for (const e of reached) {
    if (e.tabIndex > 0) found.push(`a place of its own in the order of focus: ${name(e)}`);
    for (let box = e; box; box = box.parentElement) {
      const style = getComputedStyle(box);
      if (style.order !== '0' || (style.display.includes('flex') && style.flexDirection.endsWith('reverse')))
        found.push(`shown in another order than reached: ${name(box)}`);
    }
  }
  const wide = document.documentElement.scrollWidth;
  if (wide > window.innerWidth) {
    const last = all('main *').filter((e) => e.getBoundingClientRect().right > window.innerWidth && !e.closest('.scroll'))[0];
    found.push(`${wide} px wide: ${last ? name(last) : ''}`);
  }
  return found;
}"""

# What has the keyboard's focus, whether that can be seen, and whether it comes after what had it when this was asked last.
FOCUSED = """() => {
  const e = document.activeElement;
  if (!e || e === document.body) return null;
  const style = getComputedStyle(e), box = e.getBoundingClientRect();
  const outlined = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
  const shown = box.width > 0 && box.bottom > 0 && box.top < window.innerHeight && box.right > 0 && box.left < window.innerWidth;
  const before = window.focusedBefore;
  const onward = !before || before === e || !!(before.compareDocumentPosition(e) & Node.DOCUMENT_POSITION_FOLLOWING);
  window.focusedBefore = e;
  return {
    what: e.name || e.innerText.trim() || e.tagName, html: e.outerHTML.slice(0, 90), seen: outlined && shown, onward,
    name: e.name || '', type: e.type || '', value: e.value || '', checked: !!e.checked,
    sends: e.matches('main form button.primary'),
  };
}"""


class Visitor:
    """One person's browser, unless asked otherwise a phone's without JavaScript. `addresses`: all that the browser asked for."""

    def __init__(self, context: BrowserContext, page: Page, base: str) -> None:
        self.context = context
        self.page = page
        self.base = base
        self.addresses: list[str] = []
        context.on("request", lambda request: self.addresses.append(request.url))

    @classmethod
    async def arriving(cls, browser: Browser, base: str, *, scripts: bool = False, width: int = PHONE) -> "Visitor":
        """A new browser window without cookies."""
        context = await browser.new_context(java_script_enabled=scripts, viewport={"width": width, "height": 800}, locale="vi-VN")
        context.set_default_timeout(15_000)
        return cls(context, await context.new_page(), base)

    async def open(self, path: str) -> Response:
        """Go to an address of the site and look at the page."""
        response = await self.page.goto(self.base + path)
        assert response is not None
        await self.look()
        return response

    async def press(self, name: str, *, exact: bool = False) -> None:
        """Press a button and look at the page that comes."""
        async with self.page.expect_navigation():
            await self.page.get_by_role("button", name=name, exact=exact).first.click()
        await self.look()

    async def follow(self, name: str) -> None:
        """Follow a link of the page's content and look at the page that comes."""
        async with self.page.expect_navigation():
            await self.page.get_by_role("main").get_by_role("link", name=name).first.click()
        await self.look()

    async def fill(self, fields: Mapping[str, str]) -> None:
        """Type into fields by their names."""
        for name, value in fields.items():
            await self.page.locator(f"[name='{name}']").fill(value)

    async def look(self) -> None:
        """Everything that must be right on any page."""
        complaints: list[str] = await self.page.evaluate(COMPLAINTS)
        assert complaints == [], self.page.url

    async def sees(self, text: str) -> bool:
        """Whether the page's content has `text`."""
        return text in await self.page.get_by_role("main").inner_text()

    async def tab_through(self) -> list[str]:
        """Names of what the Tab key reaches, in order; each must show that it has the focus."""
        reached: list[str] = []
        await self.page.locator("body").evaluate("() => document.activeElement.blur()")
        for _ in range(200):
            await self.page.keyboard.press("Tab")
            focused = await self.page.evaluate(FOCUSED)
            if focused is None:
                break
            assert focused["seen"], focused["html"]
            reached.append(focused["what"])
        return reached

    async def cookie(self) -> str:
        """The session cookie's value."""
        return next(c["value"] for c in await self.context.cookies() if c["name"] == COOKIE)

    async def carry(self, value: str) -> None:
        """Have this session cookie from now on."""
        await self.context.add_cookies([{"name": COOKIE, "value": value, "url": self.base}])

    async def leave(self) -> None:
        """Close the window."""
        await self.context.close()


def aged(cookie: str, secret: str, then: datetime) -> str:
    """The same session as if it had been signed at `then`."""
    codec = SessionCodec(SecretStr(secret))
    found = codec.decode(cookie, then)
    session = found.session if isinstance(found, Expired) else found
    assert isinstance(session, Session)
    return codec.encode(session, then)


def assert_nothing_personal(addresses: list[str], secrets: list[str]) -> None:
    """None of `secrets` stands in an address, however it is spelt there."""
    for address in addresses:
        plain = unquote(address).replace("+", " ").replace("-", "").casefold()
        assert [secret for secret in secrets if secret.replace("-", "").casefold() in plain] == [], "personal data in an address"
