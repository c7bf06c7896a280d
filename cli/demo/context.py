"""What every step of the demonstration is handed."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from email.message import EmailMessage
from functools import wraps

from cli.browser import Browser
from cli.demo.book import AgencyBook
from cli.demo.checks import Checks, eventually
from cli.demo.clock import MovableClock
from cli.demo.mailbox import Mail, Mailbox
from kit.clock import local_date

_NO_MAIL = EmailMessage()


@dataclass
class Demo:
    """The site, its staff, its mails, the time, and what is known and checked so far."""

    site: str
    clock: MovableClock
    post: Mailbox
    passwords: dict[tuple[str, str], str]
    """(agency, sign-in) → password."""
    books: list[AgencyBook]
    checks: Checks = field(default_factory=Checks)
    began_on: date = field(init=False)
    _desks: dict[tuple[str, str], Browser] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.began_on = self.today

    @property
    def today(self) -> date:
        return local_date(self.clock())

    @contextmanager
    def visitor(self) -> Iterator[Browser]:
        """A browser of somebody who has never been here."""
        with Browser(self.site) as browser:
            yield browser

    def desk(self, book: AgencyBook, account: str) -> Browser:
        """The browser of a member of staff, signed in."""
        key = (book.code, account)
        if key not in self._desks:
            browser = Browser(self.site)
            fields = {"username": account, "password": self.passwords[key]}
            page = browser.submit(f"/{book.code}/can-bo/dang-nhap", "dang-nhap", fields, having="password")
            self.checks.holds(
                f"{book.code}: {account} signs in", "a page of the desk", page.url, when="dang-nhap" not in page.url
            )
            self._desks[key] = browser
        return self._desks[key]

    def office(self, book: AgencyBook) -> Browser:
        return self.desk(book, "vanphong")

    def go_on_to(self, moment: datetime) -> None:
        """Another day: everybody has signed out in between."""
        self.close()
        self.clock.move_to(moment)

    def mail(self, to: str, subject: str) -> Mail:
        """The newest mail with this subject; waited for. An empty one when none comes, so that every check on it fails."""
        found = self.mails(to, subject, 1)
        return found[-1] if found else Mail(to, _NO_MAIL)

    def mails(self, to: str, subject: str, n: int) -> list[Mail]:
        """The mails with this subject, once there are `n`."""
        found = eventually(lambda: self.post.mails(to, subject), lambda mails: len(mails) >= n)
        self.checks.equal(f"mails to {to} about “{subject}”", n, len(found))
        return found

    def close(self) -> None:
        for browser in self._desks.values():
            browser.close()
        self._desks.clear()


def each_agency(step: Callable[[Demo, AgencyBook], None]) -> Callable[[Demo], None]:
    """A step for both agencies at the same time: neither waits for the other. Raises what the first one to fail raised."""

    @wraps(step)
    def run(demo: Demo) -> None:
        with ThreadPoolExecutor(len(demo.books)) as pool:
            for done in [pool.submit(step, demo, book) for book in demo.books]:
                done.result()

    return run
