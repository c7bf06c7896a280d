"""The dialogue: its day, the invitations, the meeting, the conclusion and what follows (D1, D8 to D12)."""

from datetime import date, datetime, time, timedelta

from icalendar import Calendar

from cli.browser import Form, Page
from cli.demo.book import AgencyBook, Content, Registrant, State
from cli.demo.checks import eventually
from cli.demo.context import Demo, each_agency
from cli.demo.desk import ANSWER, act, finished
from cli.demo.mailbox import CALENDAR, PDF, pdf_text
from cli.demo.people import ACCOUNTS, OFFICE
from kit.clock import at, format_date

INVITATION, NOTICE, LETTER = "27", "31", "412/SKHCN-VP"


def _page(book: AgencyBook, below: str = "") -> str:
    return f"/{book.code}/can-bo/doi-thoai/{book.dialogue}{below}"


# The day (D1)


def dated(demo: Demo) -> None:
    """Bắc Kạn's plan names its day; Sơn La's office fixes its own now, and everybody with something to say there is told."""
    son_la, bac_kan = demo.books
    for book in demo.books:
        plans = demo.office(book).get(f"/{book.code}/can-bo/ke-hoach")
        book.dialogue = plans.link("/doi-thoai/", "Lần 1").rsplit("/", 1)[-1]
    closing, meeting = moments(demo, bac_kan)
    office = demo.office(son_la)
    page = office.get(_page(son_la, "/sua"))
    terms = {
        "starts_on": meeting.date().isoformat(),
        "starts_time": "08:00",
        "closes_on": (closing.date() - timedelta(days=1)).isoformat(),
        "closes_time": "17:00",
        "reason": "Lãnh đạo Sở thống nhất ngày tổ chức",
    }
    after = office.send(page, page.form(having="starts_on"), terms)
    demo.checks.contains("son-la: the preparation is planned back from the day", after.text, "Báo cáo Giám đốc", "Gửi giấy mời")
    for registrant in son_la.invited():
        if registrant.email:
            mail = demo.mail(registrant.email, "thời gian, địa điểm tổ chức")
            demo.checks.contains("son-la: the mail about the day", mail.text, format_date(meeting.date()), "08 giờ 00")


def moments(demo: Demo, book: AgencyBook) -> tuple[datetime, datetime]:
    """Closing and beginning, as the office's form shows them."""
    form = demo.office(book).get(_page(book, "/sua")).form(having="starts_on")
    return _moment(form, "closes"), _moment(form, "starts")


def _moment(form: Form, name: str) -> datetime:
    return at(date.fromisoformat(form.value(f"{name}_on")), time.fromisoformat(form.value(f"{name}_time")))


def after_closing(demo: Demo) -> None:
    """To the morning after the last day of registration."""
    closing, _ = moments(demo, demo.books[1])
    demo.go_on_to(at(closing.date() + timedelta(days=1), time(9)))


def meeting_day(demo: Demo) -> None:
    """To the afternoon on which both meetings are over."""
    _, meeting = moments(demo, demo.books[1])
    demo.go_on_to(meeting + timedelta(hours=2))


# Invitations (D9)


def prepared(demo: Demo) -> None:
    """Units answer what came last; Sơn La's Director agrees the contents and has the report with the answers (D8)."""
    finished(demo)
    book = demo.books[0]
    leadership, office = demo.desk(book, "giamdoc"), demo.office(book)
    leadership.submit(_page(book), "thong-nhat", {"note": "Thống nhất."}, having="note")
    page = office.submit(_page(book), "trinh-bao-cao")
    demo.checks.contains("son-la: the report to the Director", page.text, "Đã trình lúc", "Giám đốc đã thống nhất nội dung")


@each_agency
def invited(demo: Demo, book: AgencyBook) -> None:
    """The office drafts the giấy mời, enters its number and issues it: everybody is reached their own way."""
    office = demo.office(book)
    note = "Ông/Bà có thể gửi xe tại sân trụ sở."
    office.submit(_page(book, "/giay-moi"), "/giay-moi/1", {"note": note}, having="guests")
    draft = office.download(_page(book, "/giay-moi/1.pdf")).content
    demo.checks.contains(f"{book.code}: the draft of the giấy mời", pdf_text(draft), "GIẤY MỜI", note)
    if book.code == "son-la":
        _refused(demo, book)
    page = office.submit(_page(book, "/giay-moi"), "/giay-moi/1/so", {"number": INVITATION}, having="number")
    demo.checks.contains(f"{book.code}: whom it goes to", page.text, f"{len(book.invited())} người được mời")
    if book.code == "bac-kan":
        _signed(demo, book)
    page = office.submit(_page(book, "/giay-moi"), "/giay-moi/1/phat-hanh")
    demo.checks.contains(f"{book.code}: the giấy mời is out", page.text, "Đã phát hành", f"Số {INVITATION}")
    for registrant in book.invited():
        if registrant.email:
            _invitation_mail(demo, book, registrant)
    _without_mail(demo, book)
    for unit in sorted({c.unit for _, c in book.contents() if c.spoken and c.unit}):
        mail = demo.mail(f"{unit}@{book.code}.example", "Mời dự Hội nghị")
        demo.checks.lacks(f"{book.code}: the invitation of {unit}", mail.text, *_others(book, book.walk_in))
    _reached(demo, book)


def _refused(demo: Demo, book: AgencyBook) -> None:
    """A number without a day of signature is no number."""
    page = demo.office(book).submit(
        _page(book, "/giay-moi"), "/giay-moi/1/so", {"number": "", "signed_on": ""}, having="number", status=422
    )
    demo.checks.contains(f"{book.code}: a number without a day", page.text, "Xin nhập ngày ký")


def _signed(demo: Demo, book: AgencyBook) -> None:
    """The signed file takes the place of the generated one."""
    office = demo.office(book)
    signed = office.download(_page(book, "/giay-moi/1.pdf")).content
    page = office.get(_page(book, "/giay-moi"))
    page = office.send(page, page.form("ban-ky"), files={"file": ("giay-moi-da-ky.pdf", signed, PDF)})
    demo.checks.contains(f"{book.code}: the signed giấy mời", page.text, "Đã có bản đã ký")


def _invitation_mail(demo: Demo, book: AgencyBook, registrant: Registrant) -> None:
    mail = demo.mail(registrant.email, "Giấy mời dự Hội nghị")
    what = f"{book.code}: the invitation of {registrant.number}"
    _, starts_at = moments(demo, book)
    spoken = [content.text for content in registrant.contents if content.spoken]
    demo.checks.contains(what, mail.text, f"Giấy mời số {INVITATION}/GM-SKHCN", "số thứ tự", *spoken)
    demo.checks.lacks(what, mail.text, *(c.text for c in registrant.contents if c.sealed), *_others(book, registrant))
    papers = mail.attached(PDF)
    demo.checks.equal(f"{what}: giấy mời and personal slip", 2, len(papers))
    texts = {name: pdf_text(content) for name, content in papers.items()}
    slip = next((text for text in texts.values() if registrant.name in text), "")
    paper = next((text for text in texts.values() if "GIẤY MỜI" in text and registrant.name not in text), "")
    demo.checks.contains(f"{what}: the giấy mời", paper, "Hội nghị đối thoại trực tiếp", f"{INVITATION}/GM-SKHCN")
    demo.checks.contains(f"{what}: the personal slip", slip, registrant.name)
    calendars = list(mail.attached(CALENDAR).values())
    starts = [event.decoded("dtstart") for file in calendars for event in Calendar.from_ical(file).walk("VEVENT")]
    demo.checks.equal(f"{what}: the calendar file", [starts_at], starts)


def _others(book: AgencyBook, registrant: Registrant) -> list[str]:
    return [r.name for r in book.everybody() if r is not registrant]


def _without_mail(demo: Demo, book: AgencyBook) -> None:
    """Who has no e-mail has a letter to print, or is to be called; both are worked off."""
    for registrant in book.invited():
        if not registrant.email:
            (_posted if registrant.address else _called)(demo, book, registrant)


def _posted(demo: Demo, book: AgencyBook, registrant: Registrant) -> None:
    """Printed from its PDF and entered in the post book."""
    office, to_print = demo.office(book), f"/{book.code}/van-thu/can-in"
    waiting = eventually(lambda: _letters(office.get(to_print), registrant))
    demo.checks.equal(f"{book.code}: letters of invitation to print for {registrant.number}", 1, len(waiting))
    for letter in waiting:
        texts = [pdf_text(office.download(f"{letter}/{name}").content) for name in ("thu.pdf", "phieu.pdf", "tep/0")]
        demo.checks.contains(f"{book.code}: the letter to print", " ".join(texts), "Kính gửi", "GIẤY MỜI", registrant.name)
        page = office.submit(to_print, f"{letter}/da-gui", {"number": "58"}, having="number")
        demo.checks.equal(f"{book.code}: posted, so not to print any more", [], _letters(page, registrant))


def _letters(page: Page, registrant: Registrant) -> list[str]:
    """The addresses of the invitations to print for a registrant."""
    rows = [row for table in page.tables for row in table.rows]
    return [row.links[0] for row in rows if registrant.number in row.cells[0] and "Giấy mời" in row.cells[0]]


def _called(demo: Demo, book: AgencyBook, registrant: Registrant) -> None:
    """Called with the script that stands there; the result is kept."""
    office, to_call = demo.office(book), f"/{book.code}/van-thu/can-goi"
    page = eventually(
        lambda: office.get(to_call), lambda page: any("Giấy mời" in words and "/thu/" in href for href, words in page.links)
    )
    demo.checks.contains(f"{book.code}: the call to {registrant.number}", page.text, registrant.number, registrant.name)
    letter = page.link("/van-thu/thu/", "Giấy mời").rsplit("/", 1)[-1]
    form = page.form(f"{letter}/da-goi", having="result")
    office.send(page, form, {"result": next(filter(None, form.options["result"]))})


def _reached(demo: Demo, book: AgencyBook) -> None:
    """The gap list is empty: a delivery proves for everybody that the invitation has arrived."""
    office = demo.office(book)
    wanted = ("Cần mời mà chưa mời (0)", "chưa xác nhận được là đã đến tay (0)", f"Danh sách được mời ({len(book.invited())})")
    page = eventually(lambda: office.get(_page(book, "/giay-moi")), lambda page: all(text in page.text for text in wanted))
    demo.checks.contains(f"{book.code}: the gap list", page.text, *wanted)


# The meeting (D10, D11)


@each_agency
def held(demo: Demo, book: AgencyBook) -> None:
    """Who was there, what became of each content, who spoke without having registered; then it is over."""
    office = demo.office(book)
    _registers(demo, book)
    page = office.get(_page(book, "/dien-bien"))
    for registrant in book.invited():
        _attendance(demo, book, registrant)
    office.submit(_page(book, "/dien-bien"), "vang-mat")
    for registrant in (*book.invited(), book.walk_in):
        for content in registrant.contents:
            _outcome(demo, book, registrant, content)
    today = demo.today.isoformat()
    page = office.submit(_page(book, "/dien-bien"), "da-to-chuc", {"held_on": today}, having="held_on")
    book.held = True
    present = sum(r.attendance != "absent" for r in book.invited())
    figures = (f"Được mời {len(book.invited())} ", f"Có mặt (kể cả dự thay) {present} ", "Nội dung chưa ghi kết quả 0")
    demo.checks.contains(f"{book.code}: the figures of the meeting", page.text, *figures)


def _registers(demo: Demo, book: AgencyBook) -> None:
    """Somebody speaks who has not registered: a case of its own."""
    person = book.walk_in
    fields = {
        "name": person.name,
        "kind": person.kind.value,
        "address": person.address,
        "phone": person.phone,
        "text": person.contents[0].text,
    }
    page = demo.office(book).submit(_page(book, "/dien-bien"), "phat-sinh", fields, having="key")
    demo.checks.contains(f"{book.code}: who speaks without having registered", page.text, person.name, "Phát sinh tại Hội nghị")
    words = page.text.split()
    person.number = next((word for word in words if word.startswith(f"{book.prefix}-") and "-HN" in word), "")


def _section(page: Page, name: str) -> str:
    """The page's text from a person's heading on."""
    return page.text[page.text.find(name) :]


def _attendance(demo: Demo, book: AgencyBook, registrant: Registrant) -> None:
    case = registrant.page.rsplit("/", 1)[-1]
    note = {"substitute": "Bà Người Thay, có giấy giới thiệu", "absent": "Báo bận"}.get(registrant.attendance, "")
    page = demo.office(book).submit(
        _page(book, "/dien-bien"), f"tham-du/{case}", {"attendance": registrant.attendance, "note": note}, having="attendance"
    )
    words = {"attended": "Có mặt", "substitute": "Dự thay", "absent": "Vắng"}[registrant.attendance]
    demo.checks.contains(f"{book.code}: attendance of {registrant.number}", _section(page, registrant.number)[:200], words)


def _outcome(demo: Demo, book: AgencyBook, registrant: Registrant, content: Content) -> None:
    """What the meeting made of a content; what is settled already stays as it is."""
    office = demo.office(book)
    if not content.spoken or content.state is State.ESCALATED:
        return
    if registrant.attendance == "absent":
        content.state = State.ANSWERED
        return
    page = office.get(_page(book, "/dien-bien"))
    form = _outcome_form(page, book, content)
    fields = {"kind": content.outcome.value, "text": "" if registrant.registered else ANSWER}
    if content.outcome in (State.TO_WRITE, State.ADOPTED):
        fields["unit"] = content.unit or OFFICE
    if content.due:
        fields["due"] = (demo.today + timedelta(days=14)).isoformat()
    page = office.send(page, form, fields)
    content.state = content.outcome
    words = {State.RESOLVED: "Đã giải đáp", State.TO_WRITE: "trả lời bằng văn bản", State.ADOPTED: "tiếp thu"}[content.outcome]
    demo.checks.contains(f"{book.code}: the outcome for {registrant.number}", page.text.lower(), words.lower())
    if content.outcome is State.TO_WRITE:
        content.clocks.append(("written", "running"))


def _outcome_form(page: Page, book: AgencyBook, content: Content) -> Form:
    """The form of a content; what was raised at the meeting has the one that belongs to no registration."""
    if content.page:
        return page.form(f"dien-bien/noi-dung/{_id(content.page)}", having="kind")
    known = {_id(other.page) for _, other in book.contents() if other.page}
    new = [f for f in page.forms if "dien-bien/noi-dung/" in f.action and _id(f.action) not in known]
    content.page = f"/{book.code}/can-bo/noi-dung/{_id(new[0].action)}" if new else ""
    return new[0] if new else page.form("dien-bien/noi-dung/")


def _id(address: str) -> str:
    return address.rsplit("/", 1)[-1].partition("?")[0]


# The conclusion (D12) and what follows


@each_agency
def concluded(demo: Demo, book: AgencyBook) -> None:
    """Drafted from the outcomes, edited, numbered, issued; it names nobody, and everybody reads their own result."""
    office = demo.office(book)
    draft = office.get(_page(book, "/ket-luan"))
    form = draft.form("ket-luan", having="closing")
    demo.checks.contains(f"{book.code}: the drafted notice", " ".join(v for _, v in form.values), *_drafted(book))
    named = {"closing": f"Cảm ơn {book.registrants[0].name}."}
    refused = office.send(draft, form, named, status=422)
    demo.checks.contains(f"{book.code}: a notice that names somebody", refused.text, "Thông báo được công khai")
    closing = f"{form.value('closing')} Văn phòng Sở công khai Thông báo này."
    office.send(draft, form, {"closing": closing})
    office.submit(_page(book, "/ket-luan"), "/ket-luan/so", {"number": NOTICE}, having="number")
    page = office.submit(_page(book, "/ket-luan"), "/ket-luan/phat-hanh")
    demo.checks.contains(f"{book.code}: the notice is out", page.text, "Đã phát hành", closing)
    _public(demo, book)
    for registrant in book.invited():
        if registrant.email:
            _result_mail(demo, book, registrant)


def _drafted(book: AgencyBook) -> list[str]:
    """The headings that the recorded outcomes call for."""
    states = {content.state for _, content in book.contents()}
    headings = {
        State.RESOLVED: "Những nội dung đã được giải đáp tại Hội nghị",
        State.TO_WRITE: "Những nội dung giao trả lời bằng văn bản",
        State.ESCALATED: "Những nội dung vượt thẩm quyền, kiến nghị cấp trên",
        State.ADOPTED: "Những sáng kiến, đề xuất được tiếp thu",
        State.ANSWERED: "Những nội dung của tổ chức, cá nhân vắng mặt",
    }
    return [heading for state, heading in headings.items() if state in states]


def _public(demo: Demo, book: AgencyBook) -> None:
    """Everybody can read the notice; it names contents by number and nobody by name."""
    address = f"/{book.code}/doi-thoai/{book.dialogue}"
    with demo.visitor() as browser:
        page = eventually(lambda: browser.get(address), lambda page: "Văn phòng Sở công khai" in page.text)
        paper = pdf_text(browser.download(f"{address}/thong-bao.pdf").content)
    names = [name for registrant in book.everybody() for name in registrant.names]
    for what, text in (("the public notice", page.text), ("the notice as PDF", paper)):
        demo.checks.contains(f"{book.code}: {what}", text, "ội dung số", "Văn phòng Sở công khai Thông báo này", NOTICE)
        demo.checks.lacks(f"{book.code}: {what}", text, *names)


def _result_mail(demo: Demo, book: AgencyBook, registrant: Registrant) -> None:
    """Who was there gets the notice and the own result, who was absent the answers (D11)."""
    absent = registrant.attendance == "absent"
    mail = demo.mail(registrant.email, "Kết quả trả lời nội dung đăng ký" if absent else "Thông báo kết luận")
    what = f"{book.code}: the result for {registrant.number}"
    spoken = [content for content in registrant.contents if content.spoken]
    answers = [ANSWER for content in spoken if content.state in (State.RESOLVED, State.ANSWERED)]
    demo.checks.contains(what, mail.text, f"{NOTICE}/TB-SKHCN", *(content.text for content in spoken), *answers)
    demo.checks.lacks(what, mail.text, *(c.text for c in registrant.contents if c.sealed), *_others(book, registrant))
    demo.checks.equal(f"{what}: the notice goes with it", 1, len(mail.attached(PDF)))


@each_agency
def followed_up(demo: Demo, book: AgencyBook) -> None:
    """A written answer with number and date; a named reader decides on a sealed content; a letter upwards has its number."""
    for registrant, content in book.contents():
        if content.state is State.TO_WRITE and content.written:
            _write(demo, book, registrant, content)
        elif content.state is State.SEALED and content.outcome is State.EXCLUDED:
            _exclude(demo, book, registrant, content)
        elif content.state is State.ESCALATED:
            fields = {"number": "77/SKHCN-VP", "on": format_date(demo.today)}
            page = act(demo.office(book), content, "so-kien-nghi", **fields)
            demo.checks.contains(f"{book.code}: the number of the letter upwards", page.text, "Kiến nghị cấp trên")


def _write(demo: Demo, book: AgencyBook, registrant: Registrant, content: Content) -> None:
    unit = ACCOUNTS[content.unit or OFFICE]
    officer = demo.desk(book, f"{unit}.chuyenvien")
    text = "Cân của hộ kinh doanh được kiểm định mỗi năm một lần; Chi cục hẹn lịch trong 05 ngày làm việc."
    page = officer.get(content.page)
    officer.send(page, page.form("du-thao", having="text"), {"kind": "answer", "text": text, "then": "trinh-truong-don-vi"})
    act(demo.desk(book, f"{unit}.truong"), content, "trinh-lanh-dao")
    act(demo.desk(book, "giamdoc"), content, "duyet")
    page = act(demo.office(book), content, "tra-loi", number=LETTER, on=format_date(demo.today))
    demo.checks.contains(f"{book.code}: the written answer", page.text, f"Đã trả lời – VB số {LETTER}", "đúng hạn")
    content.state = State.ANSWERED
    content.clocks[-1] = ("written", "on time")
    mail = demo.mail(registrant.email, f"Trả lời bằng văn bản số {LETTER}")
    demo.checks.contains(f"{book.code}: the mail with the written answer", mail.text, text, content.text)


def _exclude(demo: Demo, book: AgencyBook, registrant: Registrant, content: Content) -> None:
    """A denunciation: handed over to who is competent, and the person is told by a neutral letter that quotes nothing (D6)."""
    reader = demo.desk(book, "thanhtra.truong")
    page = reader.get(content.page)
    fields = {
        "kind": "denunciation",
        "passed_to": "Thanh tra tỉnh",
        "passed_on": format_date(demo.today),
        "reason": "Có dấu hiệu tố cáo, đã chuyển đúng thẩm quyền.",
    }
    reader.send(page, page.form("ket-luan", having="kind"), fields)
    content.state = State.EXCLUDED
    mail = demo.mail(registrant.email, "trả lời phiếu đăng ký")
    what = f"{book.code}: the neutral letter"
    demo.checks.contains(what, mail.text, "Thanh tra tỉnh", "được giữ bí mật")
    demo.checks.lacks(what, f"{mail.subject} {mail.text}".lower(), "tố cáo", "lót tay", content.text.lower())
