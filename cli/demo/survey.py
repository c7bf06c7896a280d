"""The survey (K3): by the link of a letter, by the code at a counter, on paper; what people wrote stays at the desk."""

import re

from cli.browser import Browser, Page
from cli.demo.book import AgencyBook, Registrant
from cli.demo.context import Demo, each_agency
from cli.demo.mailbox import Mail, pdf_text
from cli.demo.people import OFFICE
from contracts.model import SurveyWay
from kit.clock import format_date

LINK = re.compile(r"https?://\S+/khao-sat/\S+")
WORDS = "Xin niêm yết lịch tiếp công dân ở cửa ra vào."
GOOD, MIXED, BAD = (5, 5, 4, 5), (4, 3, 4, None), (2, 4, 1, 2)
Marks = tuple[int | None, ...]
CRITERIA = ("time", "attitude", "clarity", "result")


@each_agency
def surveyed(demo: Demo, book: AgencyBook) -> None:
    """Who has a result by mail is asked once; two people use the code at the counter; one writes on paper."""
    _after_the_meeting(demo, book)
    address = _counter(demo, book)
    with demo.visitor() as kiosk:
        for marks in (GOOD, BAD):
            thanks = _answer(kiosk, address, marks)
            book.surveys.append((SurveyWay.QR, marks))
            demo.checks.contains(f"{book.code}: thanks at the counter", thanks.text, "Cảm ơn Ông/Bà", "Phiếu mới")
    _paper(demo, book)


def _after_the_meeting(demo: Demo, book: AgencyBook) -> None:
    asked = [(registrant, _mail(demo, registrant)) for registrant in book.invited() if registrant.email]
    for registrant, mail in asked:
        links = LINK.findall(mail.text)
        wanted = 0 if any(content.sealed for content in registrant.contents) else 1
        demo.checks.equal(f"{book.code}: links to the survey for {registrant.number}", wanted, len(links))
        if links and not book.surveys:
            _once(demo, book, links[0])


def _mail(demo: Demo, registrant: Registrant) -> Mail:
    subject = "Kết quả trả lời nội dung đăng ký" if registrant.attendance == "absent" else "Thông báo kết luận"
    return demo.mail(registrant.email, subject)


def _once(demo: Demo, book: AgencyBook, link: str) -> None:
    """A scanner of mails opens the link before the person does, who then answers, and tries again."""
    what = f"{book.code}: the survey about a case"
    with demo.visitor() as scanner:
        for _ in range(3):
            demo.checks.contains(what, scanner.get(link).text, "Phiếu khảo sát mức độ hài lòng")
    with demo.visitor() as browser:
        demo.checks.contains(what, _answer(browser, link, MIXED).text, "Cảm ơn Ông/Bà đã đánh giá")
        book.surveys.append((SurveyWay.CASE, MIXED))
        demo.checks.contains(what, browser.get(link).text, "đã được ghi nhận trước đó")


def _counter(demo: Demo, book: AgencyBook) -> str:
    """The control unit makes a code for a counter and prints its poster."""
    desk = demo.desk(book, "kstthc")
    page = desk.submit(f"/{book.code}/tiep-nhan/khao-sat", "khao-sat", {"unit": OFFICE}, having="unit")
    address = page.link(f"/{book.code}/khao-sat/")
    poster = pdf_text(desk.download(page.link("ap-phich.pdf")).content)
    demo.checks.contains(f"{book.code}: the poster", poster, "Quét mã hoặc ghi phiếu giấy", address.rpartition("/")[2])
    return address


def _answer(browser: Browser, address: str, marks: Marks, **more: str) -> Page:
    given = {name: str(mark) for name, mark in zip(CRITERIA, marks, strict=True) if mark is not None}
    return browser.submit(address, "khao-sat", given | more, having="nonce")


def _paper(demo: Demo, book: AgencyBook) -> None:
    desk = demo.desk(book, "kstthc")
    sheet = {"given_on": format_date(demo.today), "unit": OFFICE, "text": WORDS}
    after = _answer(desk, f"/{book.code}/tiep-nhan/khao-sat/nhap", GOOD, **sheet)
    book.surveys.append((SurveyWay.PAPER, GOOD))
    demo.checks.contains(f"{book.code}: a paper typed in", after.text, "Đã ghi phiếu")
    words = desk.get(f"/{book.code}/tiep-nhan/khao-sat/y-kien")
    demo.checks.contains(f"{book.code}: what people wrote", words.text, WORDS)
