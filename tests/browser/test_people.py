"""What people do, in a real browser on the whole stack, without JavaScript, on a phone."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser

from cli.up import sign_ins
from deploy.local.stack import LocalStack
from tests.browser.visiting import Visitor, aged, assert_nothing_personal
from tests.faults.watching import mails
from tests.waiting import eventually

pytestmark = [pytest.mark.stack, pytest.mark.browser]

FORMS = {
    "son-la": ["name", "address", "phone", "sections.1", "sections.2", "sections.3", "sections.4", "sections.5", "email"],
    "bac-kan": ["name", "phone", "address", "email", "sections.1", "sections.2"],
}
PERSON = {
    "name": "Hà Thị Duyệt",
    "address": "Bản Thử, xã Mẫu",
    "phone": "0912 345 678",
    "email": "ha.thi.duyet@nguoi.example",
}
QUESTION = "Cân đồng hồ ở chợ bao lâu phải kiểm định đo lường một lần?"
ANSWER = "Cân đồng hồ lò xo được kiểm định mười hai tháng một lần, tại Chi cục."


@pytest.fixture
def stack(whole_stack: LocalStack) -> LocalStack:
    return whole_stack


@asynccontextmanager
async def visitor(browser: Browser, stack: LocalStack) -> AsyncIterator[Visitor]:
    somebody = await Visitor.arriving(browser, stack.public_url)
    yield somebody
    await somebody.leave()


@asynccontextmanager
async def member(browser: Browser, stack: LocalStack, login: str, agency: str = "bac-kan") -> AsyncIterator[Visitor]:
    """A member of staff at the own desk."""
    async with visitor(browser, stack) as somebody:
        await somebody.open(f"/{agency}/can-bo/")
        await sign_in(somebody, stack, login, agency)
        yield somebody


async def sign_in(somebody: Visitor, stack: LocalStack, login: str, agency: str = "bac-kan") -> None:
    password = next(s["password"] for s in sign_ins(stack) if (s["agency"], s["login"]) == (agency, login))
    await somebody.fill({"username": login, "password": password})
    await somebody.press("Đăng nhập")


async def register(somebody: Visitor, agency: str, sections: dict[str, str]) -> tuple[str, str]:
    """A registration sent; the answer names its tracking code and its case number."""
    await somebody.open(f"/{agency}/")
    await somebody.follow("Đăng ký tham gia")
    await somebody.fill({**PERSON, **sections})
    await somebody.page.locator("[name=consent]").check()
    await somebody.press("Xem lại và gửi phiếu")
    await somebody.press("Gửi phiếu đăng ký")
    return await somebody.page.locator("p.code").inner_text(), await somebody.page.locator("dd strong").first.inner_text()


async def track(somebody: Visitor, agency: str, code: str) -> None:
    await somebody.open(f"/{agency}/tra-cuu")
    await somebody.fill({"code": code})
    await somebody.press("Xem tình hình xử lý")


async def find_question(somebody: Visitor, case_number: str, path: str = "/bac-kan/can-bo/") -> str:
    """The address of the registration's question in a queue, once it has come there."""

    async def there() -> str | None:
        await somebody.open(path)
        link = somebody.page.get_by_role("main").get_by_role("link", name=case_number)
        return await link.get_attribute("href") if await link.count() else None

    found = await eventually(there, every=0.3)
    assert found is not None
    return found


@pytest.mark.parametrize("agency", FORMS)
async def test_a_form_corrected_and_sent_with_the_keyboard_then_followed(
    stack: LocalStack, browser: Browser, agency: str
) -> None:
    async with visitor(browser, stack) as person:
        await person.open(f"/{agency}/")
        await person.follow("Đăng ký tham gia")
        reached = await person.tab_through()
        assert [name for name in reached if name in FORMS[agency]] == FORMS[agency]
        assert reached[-1] != "consent"
        assert reached.index("consent") + 1 == reached.index("action")

        await person.fill({"name": PERSON["name"], "phone": "12", "sections.1": QUESTION})
        await person.press("Xem lại và gửi phiếu")
        assert await person.sees("Có 2 mục cần sửa")
        assert await person.page.locator("#loi-phone, #loi-consent").count() == 2
        assert await person.page.locator("[name=name]").input_value() == PERSON["name"]
        assert await person.page.locator("[name='sections.1']").input_value() == QUESTION

        await person.fill(PERSON)
        await person.page.locator("[name=consent]").focus()
        await person.page.keyboard.press("Space")
        await person.page.keyboard.press("Tab")
        async with person.page.expect_navigation():
            await person.page.keyboard.press("Enter")
        await person.look()
        assert await person.sees("Phiếu chưa được gửi")
        assert await person.sees(QUESTION)
        await person.page.get_by_role("button", name="Gửi phiếu đăng ký").focus()
        async with person.page.expect_navigation():
            await person.page.keyboard.press("Enter")
        await person.look()
        code = await person.page.locator("p.code").inner_text()

        await track(person, agency, "không phải mã")
        assert await person.sees("Mã tra cứu chưa đúng")
        await person.fill({"code": code.lower().replace("-", " ")})
        await person.press("Xem tình hình xử lý")
        assert await person.sees("Đã tiếp nhận")
        assert_nothing_personal(person.addresses, [*PERSON.values(), code, QUESTION])


async def test_a_question_goes_from_the_form_to_its_approved_answer(stack: LocalStack, browser: Browser) -> None:
    async with visitor(browser, stack) as person:
        code, case_number = await register(person, "bac-kan", {"sections.2": QUESTION})

        async with member(browser, stack, "vanphong") as office:
            address = await find_question(office, case_number)
            await office.open(address)
            await office.follow("Chuyển đơn vị")
            await office.page.get_by_label("Đơn vị").select_option("tieu-chuan-do-luong")
            await office.press("Chuyển đơn vị")
            assert await office.sees("Đã chuyển đơn vị; thời hạn bắt đầu tính.")

        async with member(browser, stack, "tdc.chuyenvien") as officer:
            assert await find_question(officer, case_number) == address
            await officer.open(address)
            await officer.press("Lưu và trình Trưởng đơn vị")
            assert await officer.sees("Xin ghi nội dung dự thảo.")
            await officer.fill({"text": ANSWER})
            await officer.press("Lưu và trình Trưởng đơn vị")
            assert await officer.sees("Đã trình Trưởng đơn vị.")

        async with member(browser, stack, "tdc.truong") as head:
            assert await find_question(head, case_number) == address
            await head.open(address)
            assert await head.page.locator("[name=text]").input_value() == ANSWER
            await head.press("Lưu và trình lãnh đạo Sở")
            assert await head.sees("Đã trình lãnh đạo Sở")

        async with member(browser, stack, "giamdoc") as leadership:
            assert await find_question(leadership, case_number) == address
            await leadership.open(address)
            await leadership.press("Duyệt", exact=True)
            assert await leadership.sees("Đã duyệt – sẵn sàng")

        async def told() -> bool:
            await track(person, "bac-kan", code)
            return await person.sees("Đã chuẩn bị trả lời, sẽ giải đáp tại Hội nghị")

        await eventually(told, every=0.3)
        visited = [*person.addresses, *office.addresses, *officer.addresses, *head.addresses, *leadership.addresses]
        assert_nothing_personal(visited, [*PERSON.values(), code, QUESTION, ANSWER])


@pytest.mark.parametrize(
    ("agency", "login", "at_least"), [("son-la", "", 5), ("bac-kan", "vanphong", 25), ("bac-kan", "quantri", 4)]
)
async def test_every_page_that_a_link_leads_to_is_a_good_page(
    stack: LocalStack, browser: Browser, agency: str, login: str, at_least: int
) -> None:
    async with visitor(browser, stack) as somebody:
        await somebody.open(f"/{agency}/{'can-bo/' if login else ''}")
        if login:
            await sign_in(somebody, stack, login, agency)
        assert await crawl(somebody, agency) >= at_least
        assert_nothing_personal(somebody.addresses, list(PERSON.values()))


async def crawl(somebody: Visitor, agency: str) -> int:
    """Open one page of each kind that links below the agency's address lead to, from where somebody is; how many there were."""
    waiting, seen = [somebody.page.url], set[str]()
    while waiting:
        path = urlsplit(waiting.pop(0)).path
        kind = re.sub(r"/o/.*|[0-9a-f-]{36}|[0-9]+", "#", path)
        if kind in seen or not path.startswith(f"/{agency}/") or path.endswith((".pdf", ".docx", ".xlsx")):
            continue
        seen.add(kind)
        answer = await somebody.open(path)
        assert answer.ok, path
        waiting += await somebody.page.evaluate("() => [...document.links].map((link) => link.href)")
    return len(seen)


async def test_a_sealed_question_is_opened_by_the_named_reader_alone(stack: LocalStack, browser: Browser) -> None:
    async with visitor(browser, stack) as person:
        accusation = {"sections.1": "Tôi tố cáo cán bộ Nguyễn Văn Bịa nhận tiền của tôi."}
        code, case_number = await register(person, "bac-kan", accusation)
        async with member(browser, stack, "chanhvanphong") as reader:
            address = await find_question(reader, case_number, "/bac-kan/can-bo/han-che")
            await reader.open(address)
            assert await reader.sees("nhận tiền của tôi")
            await reader.press("Đưa về phân loại")
            assert await reader.sees("Xin ghi lý do.")
        async with member(browser, stack, "vanphong") as office:
            assert (await office.open(address)).status == 403
            assert (await office.open(address.replace("han-che", "noi-dung"))).status == 404
            assert await office.page.get_by_role("link", name="Hàng đợi").count() == 1

        async def told() -> bool:
            await track(person, "bac-kan", code)
            return await person.sees("Đang được xem xét")

        await eventually(told, every=0.3)


async def test_refusals_say_what_to_do(stack: LocalStack, browser: Browser) -> None:
    async with member(browser, stack, "kstthc") as control:
        assert (await control.open("/bac-kan/can-bo/phan-loai")).status == 403
        assert await control.sees("Ông/Bà không có quyền mở trang này")
        assert (await control.open("/bac-kan/khong-co-trang-nay")).status == 404
        assert (await control.open("/khong-co-so/")).status == 404
        await control.open("/bac-kan/can-bo/mat-khau")
        await control.page.locator("main [name=csrf]").evaluate("(field) => { field.value = 'x'; }")
        await control.press("Đổi mật khẩu")
        assert await control.sees("Biểu mẫu đã cũ")


async def test_an_old_session_is_renewed_and_loses_nothing(stack: LocalStack, browser: Browser) -> None:
    secret = json.loads((stack.state / "secrets.json").read_text(encoding="utf-8"))["session_secret"]
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
    async with member(browser, stack, "vanphong") as office:
        old = aged(await office.cookie(), secret, an_hour_ago)
        await office.carry(old)
        await office.open("/bac-kan/can-bo/ke-hoach/moi")
        assert office.page.url.endswith("/bac-kan/can-bo/ke-hoach/moi")
        assert await office.cookie() != old

        await office.fill({"number": "1", "year": "2031", "title": "Kế hoạch nhập lúc phiên vừa hết"})
        await office.carry(old)
        await office.press("Công bố")
        assert await office.sees("Kế hoạch nhập lúc phiên vừa hết")

        await office.open("/bac-kan/can-bo/ke-hoach/moi")
        await office.fill({"number": "2", "year": "2032", "title": "Kế hoạch nhập trước lần đăng nhập sau"})
        async with visitor(browser, stack) as elsewhere:
            await elsewhere.carry(await office.cookie())
            await elsewhere.open("/bac-kan/can-bo/")
            await elsewhere.press("Đăng xuất")
        await office.carry(old)
        await office.press("Công bố")
        assert await office.sees("Nội dung vừa nhập vẫn được giữ nguyên")
        await sign_in(office, stack, "vanphong")
        await office.press("Gửi tiếp nội dung đã nhập")
        assert await office.sees("Kế hoạch nhập trước lần đăng nhập sau")


async def test_sign_in_with_the_keyboard_alone(stack: LocalStack, browser: Browser) -> None:
    async with visitor(browser, stack) as somebody:
        await somebody.open("/bac-kan/can-bo/phan-loai")
        reached = await somebody.tab_through()
        assert reached[0] == "Đến nội dung chính"
        assert [what for what in reached if what in ("username", "password", "Đăng nhập")] == [
            "username",
            "password",
            "Đăng nhập",
        ]
        await sign_in(somebody, stack, "vanphong")
        assert somebody.page.url.endswith("/bac-kan/can-bo/phan-loai")
        assert "Hàng đợi" in await somebody.tab_through()


async def reach(somebody: Visitor, name: str) -> None:
    """Press Tab until what has the focus is called so, or is the field of that name."""
    for _ in range(120):
        await somebody.page.keyboard.press("Tab")
        if await somebody.page.evaluate(
            "(name) => { const e = document.activeElement; return e.name === name || (e.innerText || '').startsWith(name); }",
            name,
        ):
            return
    raise AssertionError(f"the Tab key does not reach {name}")


async def go(somebody: Visitor, name: str) -> None:
    """Reach a link or a button and press Enter; look at the page that comes."""
    await reach(somebody, name)
    async with somebody.page.expect_navigation():
        await somebody.page.keyboard.press("Enter")
    await somebody.look()


async def retype(somebody: Visitor, field: str, text: str) -> None:
    await reach(somebody, field)
    await somebody.page.keyboard.press("Control+a")
    await somebody.page.keyboard.type(text)


async def test_a_registrant_changes_and_takes_back_with_the_keyboard_alone(stack: LocalStack, browser: Browser) -> None:
    amended, address = "Cân điện tử ở chợ bao lâu phải kiểm định một lần?", "ha.duyet.moi@nguoi.example"
    async with visitor(browser, stack) as person, member(browser, stack, "vanphong") as office:
        code, case_number = await register(person, "bac-kan", {"sections.2": QUESTION})
        await track(person, "bac-kan", code)
        await go(person, "Sửa nội dung")
        await retype(person, "text", amended)
        await go(person, "Gửi nội dung đã sửa")
        assert await person.sees("Đã ghi nhận nội dung Ông/Bà sửa.")

        found = await find_question(office, case_number)

        async def routed() -> bool:
            await office.open(found)
            return await office.sees(amended) and await office.sees("Người đăng ký sửa nội dung")

        await eventually(routed, every=0.3)
        await office.open("/bac-kan/can-bo/")
        assert await office.sees("Người đăng ký sửa, bổ sung ngày")

        await go(person, "Sửa thông tin liên hệ")
        await retype(person, "email", address)
        await go(person, "Lưu thông tin liên hệ")
        assert await person.sees("Đã ghi nhận thông tin liên hệ mới.")

        async def told() -> bool:
            sent = [(m.recipient, m.text) for m in mails(stack.mail_dir) if case_number in m.text]
            warned = any(to == PERSON["email"] and "thay bằng địa chỉ khác" in text and address not in text for to, text in sent)
            return warned and any(to == address and "thông tin liên hệ mới" in text for to, text in sent)

        await eventually(told, 40, every=0.3)

        await go(person, "Rút nội dung")
        await reach(person, "sections")
        await person.page.keyboard.press("Space")
        await go(person, "Tiếp tục")
        assert await person.sees("không lấy lại được")
        await go(person, "Xác nhận rút")
        assert await person.sees("Ông/Bà đã rút")

        async def withdrawn() -> bool:
            await office.open(found)
            return await office.sees("Người đăng ký rút")

        await eventually(withdrawn, every=0.3)
        await go(person, "Kết thúc xem")
        await person.open("/bac-kan/tra-cuu/phieu")
        assert await person.page.locator("[name=code]").count() == 1
        secrets = [*PERSON.values(), code, QUESTION, amended, address]
        assert_nothing_personal([*person.addresses, *office.addresses], secrets)


async def test_the_office_records_what_somebody_asks_for_by_telephone(stack: LocalStack, browser: Browser) -> None:
    amended = "Cân đồng hồ, cân điện tử ở chợ bao lâu phải kiểm định một lần?"
    async with visitor(browser, stack) as person, member(browser, stack, "vanphong") as office:
        code, case_number = await register(person, "bac-kan", {"sections.2": QUESTION})
        found = await find_question(office, case_number)
        await office.open(found)
        await office.follow("Mở phiếu")
        await office.follow("Ghi thay người đăng ký")
        assert await office.sees(PERSON["name"])
        assert not await office.sees(code)
        await office.follow("Sửa nội dung")
        await office.fill({"text": amended})
        await office.press("Gửi nội dung đã sửa")
        assert await office.sees("Xin chọn cách người đề nghị đã liên hệ.")
        assert await office.page.locator("[name=text]").input_value() == amended
        await office.page.get_by_label("Gọi điện thoại").check()
        await office.press("Gửi nội dung đã sửa")
        assert await office.sees("Đã ghi nội dung sửa.")
        assert await office.sees("người ghi: vanphong")

        async def routed() -> bool:
            await office.open(found)
            return await office.sees(amended)

        await eventually(routed, every=0.3)
        await track(person, "bac-kan", code)
        assert await person.sees("Sở ghi theo đề nghị của Ông/Bà qua điện thoại ngày")
        assert_nothing_personal([*person.addresses, *office.addresses], [*PERSON.values(), code, QUESTION, amended])
