"""What staff do before the meeting: classify, put before a unit, draft, hand over, approve (D5, D6, D7)."""

from collections.abc import Iterable, Sequence
from functools import partial

from cli.browser import Browser, Page
from cli.demo.book import AgencyBook, Content, Path, Registrant, State
from cli.demo.checks import eventually
from cli.demo.context import Demo, each_agency
from cli.demo.mailbox import Mail, pdf_text
from cli.demo.people import ACCOUNTS, OFFICE
from cli.demo.registration import receipt_mail, send, take_receipt
from contracts.model import Channel
from kit.clock import format_date

ANSWER = "Sở trả lời: hồ sơ gồm đơn theo mẫu và giấy tờ kèm theo; kết quả có trong 10 ngày làm việc kể từ khi nhận đủ hồ sơ."
OTHER_BODY = {
    Path.GUIDED: {
        "kind": "guidance",
        "body": "Văn phòng Đăng ký đất đai",
        "address": "Số 9, đường Mẫu, thành phố Sơn La",
        "phone": "0212 3856 999",
    },
    Path.ESCALATED: {"kind": "escalation", "body": "Bộ Khoa học và Công nghệ"},
}
LATER = (Path.OVERDUE,)
"""Not handed over with the others."""

Contents = Sequence[tuple[Registrant, Content]]


@each_agency
def classified(demo: Demo, book: AgencyBook) -> None:
    """The software's proposals stand on the office's page, each with its confidence; what looks sealed is seen by nobody else."""
    contents = list(book.contents())
    for registrant in book.registrants:
        find(demo, book, registrant)
    _proposals(demo, book, contents)
    for registrant, content in contents:
        if content.sealed:
            _sealed(demo, book, registrant)


def find(demo: Demo, book: AgencyBook, registrant: Registrant) -> None:
    """The office looks the registration up by its number and sees its contents; sealed ones are not among them."""
    office, visible = demo.office(book), [c for c in registrant.contents if not c.sealed]
    address = f"/{book.code}/can-bo/tim?so={registrant.number}"
    # Until it is there the search shows the queue, which may have as many contents by chance.
    page = eventually(
        lambda: office.get(address), lambda page: registrant.name in page.text and len(_content_pages(page)) == len(visible)
    )
    pages = _content_pages(page)
    demo.checks.equal(f"{book.code}: contents of {registrant.number}", len(visible), len(pages))
    demo.checks.contains(f"{book.code}: {registrant.number} has its registrant", page.text, registrant.name)
    registrant.page = page.url
    for content, found in zip(visible, pages, strict=False):
        content.page = found


def _content_pages(page: Page) -> list[str]:
    return [link for table in page.tables for row in table.rows for link in row.links if "/noi-dung/" in link]


def _proposals(demo: Demo, book: AgencyBook, contents: Contents) -> None:
    page = demo.office(book).get(f"/{book.code}/can-bo/phan-loai")
    shown = {link: row.cells[-1] for table in page.tables for row in table.rows for link in row.links}
    for registrant, content in contents:
        if content.sealed:
            demo.checks.lacks(f"{book.code}: the sealed content is in no list", page.text, content.text)
            content.state = State.SEALED
            continue
        said = shown.get(content.page, "not on the page")
        proposed = "độ tin cậy" in said.lower() if content.proposed else "Chờ phân loại" in said
        unit = _SHORT[content.proposed] if content.proposed else ""
        demo.checks.holds(
            f"{book.code}: the proposal for {registrant.number}, section {content.section}",
            unit or "triage",
            said,
            when=proposed and unit in said,
        )
        content.state = State.PROPOSED if content.proposed else State.TRIAGE


_SHORT = {
    "van-phong": "Văn phòng",
    "quan-ly-khoa-hoc": "P. QLKH",
    "quan-ly-cong-nghe": "P. QLCN&CN",
    "tieu-chuan-do-luong": "Chi cục TĐC",
    "thong-tin-ung-dung": "TT TT&ƯD",
}


def _sealed(demo: Demo, book: AgencyBook, registrant: Registrant) -> None:
    """Only the named readers' list has it; by its address it is not found for anybody else."""
    reader = demo.desk(book, "chanhvanphong")
    listed = reader.get(f"/{book.code}/can-bo/han-che")
    demo.checks.contains(f"{book.code}: the named readers' list", listed.text, registrant.number)
    address = listed.link("/han-che/", registrant.number)
    content = next(c for c in registrant.contents if c.sealed)
    content.page = address
    opened = reader.get(address)
    demo.checks.contains(f"{book.code}: a named reader opens the sealed content", opened.text, content.text, "Những lần mở")
    question = address.rsplit("/", 1)[-1]
    for account in ("vanphong", "giamdoc", "khoahoc.truong"):
        what = f"{book.code}: a sealed content for {account}"
        demo.checks.equal(what, 404, demo.desk(book, account).status(f"/{book.code}/can-bo/noi-dung/{question}"))
        demo.checks.equal(f"{what}, the register", 403, demo.desk(book, account).status(address))


# Transfer


@each_agency
def transferred(demo: Demo, book: AgencyBook) -> None:
    """Whoever the profile names puts each content before its unit: all confident proposals at once, the others one by one."""
    transfer(demo, book, [(r, c) for r, c in book.contents() if not c.sealed])
    _only_the_assigner(demo, book)


def transfer(demo: Demo, book: AgencyBook, contents: Contents) -> None:
    """Put these contents before their units; the units are told by mail and find them in their queues."""
    assigner = demo.desk(book, book.assigner)
    proposed = [content for _, content in contents if content.proposed]
    page = assigner.get(f"/{book.code}/can-bo/phan-loai")
    form = page.form("phan-loai", having="ids")
    ids = {value.partition(".")[0]: value for value in form.options["ids"]}
    chosen = [ids[_id(content)] for content in proposed if _id(content) in ids]
    demo.checks.equal(f"{book.code}: proposals to accept", len(proposed), len(chosen))
    assigner.send(page, form, {"ids": chosen, "unit": ""})
    for _, content in contents:
        if content.proposed is None:
            assigner.submit(f"{content.page}/chuyen", "chuyen", {"unit": content.unit}, having="unit")
        content.clocks.append(("preparation", "on time"))
        content.state = State.TRANSFERRED
    for unit in sorted({_first_unit(content) for _, content in contents}):
        mine = [(r, c) for r, c in contents if _first_unit(c) == unit]
        queue = demo.desk(book, f"{ACCOUNTS[unit]}.chuyenvien").get(f"/{book.code}/can-bo/")
        demo.checks.contains(f"{book.code}: the queue of {unit}", queue.text, *(r.number for r, _ in mine))
        told(demo, book, unit, [r.number for r, _ in mine])


def _id(content: Content) -> str:
    return content.page.rsplit("/", 1)[-1]


def _first_unit(content: Content) -> str:
    return content.proposed or content.unit or OFFICE


def told(demo: Demo, book: AgencyBook, unit: str, numbers: Iterable[str]) -> None:
    """The unit has had a mail about each of these registrations, without anybody's name."""
    address = f"{unit}@{book.code}.example"
    for number in numbers:
        found = eventually(partial(_about, demo, address, number))
        demo.checks.holds(f"{book.code}: {unit} is told of {number}", "a mail", len(found), when=bool(found))
        for mail in found:
            demo.checks.lacks(f"{book.code}: the mail to {unit}", mail.text, *(r.name for r in book.everybody()))


def _about(demo: Demo, address: str, number: str) -> list[Mail]:
    return [mail for mail in demo.post.mails(address, "nội dung đối thoại") if number in mail.text]


def _only_the_assigner(demo: Demo, book: AgencyBook) -> None:
    """Where the leadership assigns, the office may not, and the other way round."""
    other = "vanphong" if book.assigner != "vanphong" else "giamdoc"
    page = demo.desk(book, other).get(f"/{book.code}/can-bo/phan-loai")
    offered = any("ids" in form.names for form in page.forms)
    demo.checks.equal(f"{book.code}: {other} may not put contents before units", False, offered)


# Answers


@each_agency
def answered(demo: Demo, book: AgencyBook) -> None:
    """Officers draft, heads hand over, the leadership approves; one is improved, one returned, one guided, one escalated."""
    for _, content in book.contents():
        if content.state is State.TRANSFERRED and content.path not in LATER:
            prepare(demo, book, content)
    guidance_mails(demo, book)


def prepare(demo: Demo, book: AgencyBook, content: Content) -> None:
    """From the unit's desk to the leadership's decision, by the way that this content takes."""
    if content.path is Path.RETURNED:
        _give_back(demo, book, content)
    _draft(demo, book, content, ANSWER)
    leadership = demo.desk(book, "giamdoc")
    if content.path is Path.IMPROVED:
        act(leadership, content, "yeu-cau-hoan-thien", reason="Xin nêu rõ căn cứ pháp lý.")
        _draft(demo, book, content, f"{ANSWER} Căn cứ: Nghị định số 61/2018/NĐ-CP.")
    page = act(leadership, content, "duyet")
    said, content.state = _APPROVED.get(content.path, ("Đã duyệt – sẵn sàng", State.READY))
    demo.checks.contains(f"{book.code}: what the leadership approved", page.text, said)


_APPROVED = {
    Path.GUIDED: ("Không thuộc thẩm quyền – đã hướng dẫn", State.GUIDED),
    Path.ESCALATED: ("Vượt thẩm quyền – chờ cấp trên", State.ESCALATED),
}


def _give_back(demo: Demo, book: AgencyBook, content: Content) -> None:
    """Another unit's matter: back to the office, and before the right unit with days of its own."""
    head = demo.desk(book, f"{ACCOUNTS[_first_unit(content)]}.truong")
    act(head, content, "chuyen-lai", reason="Nội dung về nhãn hiệu thuộc Phòng Quản lý Công nghệ và Chuyên ngành.")
    page = demo.desk(book, book.assigner).submit(f"{content.page}/chuyen", "chuyen", {"unit": content.unit}, having="unit")
    demo.checks.contains(f"{book.code}: a content that was given back", page.text, "Các lần chuyển", "Thời hạn đã qua")
    content.clocks.append(("preparation", "on time"))


def _draft(demo: Demo, book: AgencyBook, content: Content, text: str) -> None:
    """The officer writes and gives it to the head, who hands it over."""
    unit = ACCOUNTS[content.unit or OFFICE]
    fields = {"kind": "answer", "text": text, "legal_basis": "Nghị định số 61/2018/NĐ-CP"} | OTHER_BODY.get(content.path, {})
    officer = demo.desk(book, f"{unit}.chuyenvien")
    page = officer.get(content.page)
    officer.send(page, page.form("du-thao", having="text"), {**fields, "then": "trinh-truong-don-vi"})
    page = act(demo.desk(book, f"{unit}.truong"), content, "trinh-lanh-dao")
    demo.checks.contains(
        f"{book.code}: the head hands the draft over", page.text, "đúng hạn" if content.clocks[-1][1] == "on time" else "trễ hạn"
    )


def act(browser: Browser, content: Content, slug: str, **fields: str) -> Page:
    """Do an act on the content's page: by its button, by one under the draft, or through its own form."""
    page = browser.get(content.page)
    for form in page.forms:
        if slug in form.action:
            return browser.send(page, form, fields)
        if slug in form.options.get("then", ()):
            return browser.send(page, form, {**fields, "then": slug})
    page = browser.get(page.link(f"/{slug}"))
    return browser.send(page, page.form(slug), fields)


def guidance_mails(demo: Demo, book: AgencyBook) -> None:
    """Who asked another authority's matter is told which, where and how to reach it (D7)."""
    for registrant, content in book.contents():
        if content.state is State.GUIDED:
            mail = demo.mail(registrant.email, "hướng dẫn gửi nội dung")
            body = OTHER_BODY[Path.GUIDED]
            demo.checks.contains(f"{book.code}: the letter of guidance", mail.text, body["body"], body["address"], content.text)


# After the closing (D4)


@each_agency
def came_late(demo: Demo, book: AgencyBook) -> None:
    """A paper that was in time is typed in; two forms come too late: one is admitted, one becomes feedback."""
    for registrant in book.latecomers:
        if registrant.channel is Channel.PAPER:
            _typed_in(demo, book, registrant)
        else:
            send(demo, book, registrant)
            receipt_mail(demo, book, registrant)
        find(demo, book, registrant)
        _decided(demo, book, registrant)
    new = [(r, c) for r in book.latecomers for c in r.contents if c.path is not Path.UNTOUCHED]
    _proposals(demo, book, new)
    transfer(demo, book, new)


def _typed_in(demo: Demo, book: AgencyBook, registrant: Registrant) -> None:
    """At the counter: received before the closing, so it is in time although it is typed later (S4)."""
    office = demo.office(book)
    page = office.get(f"/{book.code}/tiep-nhan/")
    fields = {
        "plan": book.plan,
        "dialogue": book.dialogue,
        "channel": "paper",
        "received_on": format_date(demo.began_on),
        "received_time": "23:59",
        "incoming_number": "215",
        "name": registrant.name,
        "organisation": registrant.organisation,
        "address": registrant.address,
        "phone": registrant.phone,
        "kind": registrant.kind.value,
        **{f"sections.{content.section}": content.text for content in registrant.contents},
    }
    entered = office.send(page, page.form("tiep-nhan", having="channel"), fields)
    take_receipt(demo, book, registrant, entered)
    slip = office.download(entered.link("phieu-tiep-nhan.pdf")).content
    demo.checks.contains(
        f"{book.code}: the slip for the person at the counter", pdf_text(slip), "PHIẾU TIẾP NHẬN", registrant.code
    )


def _decided(demo: Demo, book: AgencyBook, registrant: Registrant) -> None:
    """The office admits the late registration, or makes it feedback; the person is told."""
    office = demo.office(book)
    if not registrant.late:
        return
    late = office.get(f"/{book.code}/can-bo/den-sau-han")
    demo.checks.contains(f"{book.code}: the list of late registrations", late.text, registrant.number)
    page = office.get(registrant.page)
    if registrant.feedback:
        office.send(page, page.form("phan-anh", having="reason"), {"reason": "Hội nghị đã chuẩn bị xong."})
        demo.mail(registrant.email, "phản ánh, kiến nghị")
        for content in registrant.contents:
            content.state = State.TO_FEEDBACK
    else:
        office.send(page, page.form("dua-vao"))
        demo.mail(registrant.email, "đã được bổ sung vào Hội nghị")


@each_agency
def finished(demo: Demo, book: AgencyBook) -> None:
    """The units answer what came last, and what had become overdue."""
    for _, content in book.contents():
        if content.state is not State.TRANSFERRED:
            continue
        if content.path is Path.OVERDUE:
            content.clocks = [("preparation", "late")]
            queue = demo.desk(book, f"{ACCOUNTS[content.unit or OFFICE]}.truong").get(f"/{book.code}/can-bo/?qua-han=1")
            demo.checks.contains(f"{book.code}: the unit's overdue contents", queue.text, "Quá hạn")
        prepare(demo, book, content)
