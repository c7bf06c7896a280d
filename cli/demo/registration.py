"""What registrants see and do: the announced plan, the form, the receipt, the state of their registration (D1, D2, D4)."""

import re
from functools import partial
from typing import Any

import httpx

from cli.browser import Browser, Page
from cli.demo.book import AgencyBook, Registrant
from cli.demo.checks import eventually
from cli.demo.context import Demo, each_agency
from cli.demo.mailbox import pdf_text
from contracts.model import Channel

CODE = re.compile(r"\b[0-9A-Z]{4}(?:-[0-9A-Z]{4}){3}\b")


@each_agency
def announced(demo: Demo, book: AgencyBook) -> None:
    """Each agency's site announces its plan, and gives its own form: printed, and to fill in."""
    checks = demo.checks
    with demo.visitor() as browser:
        checks.becomes(f"{book.code}: the plan is announced", True, partial(_shows_plan, browser, book))
        home = browser.get(f"/{book.code}/")
        checks.contains(f"{book.code}: the site", home.text, "Đang nhận đăng ký", book.name)
        book.plan = home.link("/dang-ky/", "Đăng ký").rsplit("/", 1)[-1]
        blank = pdf_text(browser.download(f"/{book.code}/ke-hoach/{book.plan}/mau-phieu.pdf").content)
        checks.contains(f"{book.code}: the blank form", blank, "PHIẾU ĐĂNG KÝ THAM GIA ĐỐI THOẠI", *_printed(book))
        form = browser.get(f"/{book.code}/dang-ky/{book.plan}")
        checks.contains(f"{book.code}: the web form", form.text, *_printed(book))
        checks.equal(f"{book.code}: consent is not given beforehand", "", form.form(having="consent").value("consent"))


def _shows_plan(browser: Browser, book: AgencyBook) -> bool:
    return any("/dang-ky/" in href for href, _ in browser.get(f"/{book.code}/").links)


def _printed(book: AgencyBook) -> list[str]:
    return [f"{no}. {label}" for no, label in book.sections.items()]


@each_agency
def registered(demo: Demo, book: AgencyBook) -> None:
    """Everybody who is in time and does not come to the counter sends the form, on the web or by a program."""
    refused(demo, book)
    clicked_twice(demo, book, book.registrants[0])
    for registrant in book.registrants[1:]:
        send(demo, book, registrant)
    asked_twice(demo, book)
    numbers = [registrant.number for registrant in book.registrants]
    demo.checks.equal(f"{book.code}: every form has a case number of its own", len(numbers), len(set(numbers)))


def send(demo: Demo, book: AgencyBook, registrant: Registrant) -> None:
    """One registration through its channel; the receipt gives case number and code."""
    if registrant.channel is Channel.API:
        answer = _post(demo, book, registrant)
        demo.checks.equal(f"{book.code}: a program's registration", 201, answer.status_code)
        registrant.number, registrant.code = answer.json()["case_number"], answer.json()["tracking_code"]
        return
    with demo.visitor() as browser:
        page = browser.get(f"/{book.code}/dang-ky/{book.plan}")
        receipt = browser.send(page, page.form(having="nonce"), filled_in(page, registrant))
    take_receipt(demo, book, registrant, receipt)


def filled_in(page: Page, registrant: Registrant) -> dict[str, Any]:
    """The web form's fields as this person fills them in; consent is to the notice that the page shows."""
    return _person(registrant) | {
        "kind": registrant.kind.value,
        "consent": page.form(having="consent").options["consent"],
        **{f"sections.{content.section}": content.text for content in registrant.contents},
    }


def _person(registrant: Registrant) -> dict[str, str]:
    names = ("name", "organisation", "address", "phone", "email")
    return {name: getattr(registrant, name) for name in names}


def take_receipt(demo: Demo, book: AgencyBook, registrant: Registrant, receipt: Page) -> None:
    """Case number and tracking code stand on the page that answers."""
    number, code = re.search(rf"{book.prefix}-\d{{4}}-\d{{6}}", receipt.text), CODE.search(receipt.text)
    demo.checks.holds(
        f"{book.code}: the receipt has case number and code", "both", receipt.text[:300], when=bool(number and code)
    )
    demo.checks.lacks(f"{book.code}: the address of the receipt", receipt.url, code[0] if code else "")
    registrant.number, registrant.code = number[0] if number else "", code[0] if code else ""
    late = "đến sau thời hạn đăng ký" in receipt.text
    demo.checks.equal(f"{book.code}: {registrant.number} is told whether it is late", registrant.late, late)


def refused(demo: Demo, book: AgencyBook) -> None:
    """A form with nothing but a name: what is missing is said, what was typed stays."""
    with demo.visitor() as browser:
        page = browser.get(f"/{book.code}/dang-ky/{book.plan}")
        again = browser.send(page, page.form(having="nonce"), {"name": "Tên Đã Gõ"}, status=422)
    demo.checks.equal(
        f"{book.code}: a form that is not complete keeps what was typed", "Tên Đã Gõ", again.form(having="nonce").value("name")
    )
    demo.checks.contains(f"{book.code}: a form that is not complete", again.text, "mục cần sửa", "Nội dung đăng ký", "Đồng ý")


def asked_twice(demo: Demo, book: AgencyBook) -> None:
    """A program that asks again gets the same answer; its key stands for one content."""
    by_program = next(r for r in book.registrants if r.channel is Channel.API)
    again = _post(demo, book, by_program)
    demo.checks.equal(
        f"{book.code}: the same key and content again",
        (200, by_program.number, by_program.code),
        (again.status_code, again.json().get("case_number"), again.json().get("tracking_code")),
    )
    other = Registrant("Người Khác", by_program.contents, channel=Channel.API, phone="0912 000 099")
    conflict = _post(demo, book, other, key=_key(book, by_program))
    demo.checks.equal(
        f"{book.code}: the same key with other content",
        (409, "application/problem+json"),
        (conflict.status_code, conflict.headers["content-type"].partition(";")[0]),
    )


def clicked_twice(demo: Demo, book: AgencyBook, registrant: Registrant) -> None:
    """The same page sent twice gives the same receipt."""
    with demo.visitor() as browser:
        page = browser.get(f"/{book.code}/dang-ky/{book.plan}")
        fields = filled_in(page, registrant)
        take_receipt(demo, book, registrant, browser.send(page, page.form(having="nonce"), fields))
        second = browser.send(page, page.form(having="nonce"), fields)
    demo.checks.contains(f"{book.code}: the form sent twice", second.text, registrant.number, registrant.code)


def _post(demo: Demo, book: AgencyBook, registrant: Registrant, key: str = "") -> httpx.Response:
    body = {
        "plan": book.plan,
        "kind": registrant.kind.value,
        "person": _person(registrant),
        "sections": [{"no": content.section, "text": content.text} for content in registrant.contents],
        "consent_version": _consent(demo, book),
    }
    headers = {"Idempotency-Key": key or _key(book, registrant)}
    return httpx.post(f"{demo.site}/api/v1/{book.code}/registrations", json=body, headers=headers, timeout=15.0)


def _key(book: AgencyBook, registrant: Registrant) -> str:
    return f"demo-{book.code}-{registrant.phone.replace(' ', '')}"


def _consent(demo: Demo, book: AgencyBook) -> str:
    with demo.visitor() as browser:
        page = browser.get(f"/{book.code}/dang-ky/{book.plan}")
    return page.form(having="consent").options["consent"][0]


@each_agency
def receipts(demo: Demo, book: AgencyBook) -> None:
    """Who gave an address has a receipt with the code, which never stands in the subject."""
    for registrant in book.registrants:
        if registrant.email:
            receipt_mail(demo, book, registrant)


def receipt_mail(demo: Demo, book: AgencyBook, registrant: Registrant) -> None:
    """One receipt by mail: in time, or late with what happens now (D4)."""
    mail = demo.mail(registrant.email, "sau thời hạn" if registrant.late else "đã tiếp nhận phiếu đăng ký")
    demo.checks.contains(f"{book.code}: the receipt by mail", mail.text, registrant.code)
    demo.checks.lacks(f"{book.code}: the subject of the receipt", mail.subject, registrant.code)


# The tracking page

TRACKED = {
    "sealed": "Đang được xem xét",
    "excluded": "Đã có văn bản trả lời",
    "resolved": "Đã giải đáp tại Hội nghị",
    "to_write": "Sẽ trả lời bằng văn bản",
    "answered": "Đã trả lời bằng văn bản",
    "guided": "Đã hướng dẫn đến cơ quan có thẩm quyền",
    "escalated": "Đã kiến nghị cấp trên, đang chờ trả lời",
    "adopted": "Đã tiếp thu",
    "to_feedback": "Được xử lý như phản ánh, kiến nghị",
}
ATTENDED = {"attended": "Ông/Bà đã dự", "substitute": "Đã cử người dự thay", "absent": "Ông/Bà không dự"}


@each_agency
def tracked(demo: Demo, book: AgencyBook) -> None:
    """Everybody who has a code reads what became of each content, and of the invitation."""
    for registrant in book.everybody():
        if registrant.registered:
            _tracked(demo, book, registrant)
    with demo.visitor() as browser:
        unknown = browser.submit(f"/{book.code}/tra-cuu", "tra-cuu", {"code": "AAAA-AAAA"}, having="code", status=422)
        demo.checks.contains(f"{book.code}: a code that is none", unknown.text, "Mã tra cứu chưa đúng")


def _tracked(demo: Demo, book: AgencyBook, registrant: Registrant) -> None:
    words = [TRACKED[content.state.value] for content in registrant.contents]
    if registrant.invited:
        words += ["Đã gửi Giấy mời", ATTENDED[registrant.attendance]]

    def look() -> Page:
        with demo.visitor() as browser:
            return browser.submit(f"/{book.code}/tra-cuu", "tra-cuu", {"code": registrant.code.lower()}, having="code")

    page = eventually(look, lambda page: all(word in page.text for word in words))
    demo.checks.contains(f"{book.code}: {registrant.number} is tracked", page.text, registrant.number, *words)
