"""Every public page, drawn from sample data: light, ordered, described, cached, and with nothing from elsewhere."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO
from xml.etree import ElementTree

import docx
import httpx
import pypdf
import pytest
import pytest_asyncio

from kit.web.rendering import STATIC, STATIC_FILES
from services.intake.site.domain import public_id
from tests.site import ANSWERS, PLAN, answer_state, public_site, question_id, sample_plans, visitor

BUDGET = 50_000
"""Bytes of a page with all that the browser fetches for it, before compression."""
ANSWER = f"/son-la/hoi-dap/{public_id(question_id(0))}"
CACHED = (
    "/",
    "/son-la/",
    "/son-la/doi-thoai",
    f"/son-la/doi-thoai/{PLAN}-1",
    f"/son-la/doi-thoai/{PLAN}-2",
    "/son-la/doi-thoai/son-la-2025-1",
    f"/son-la/ke-hoach/{PLAN}",
    "/son-la/ket-luan",
    "/son-la/hoi-dap",
    "/son-la/hoi-dap?q=nhan+hieu&muc=2&nam=2026",
    "/son-la/hoi-dap?q=khong+co+gi",
    ANSWER,
    "/son-la/hoi-dap/niem-yet",
    "/son-la/thu-tuc",
    "/son-la/thu-tuc?q=buc+xa",
    "/son-la/lien-he",
    "/bac-kan/",
    "/bac-kan/thu-tuc",
)
FORM, FEEDBACK = f"/son-la/dang-ky/{PLAN}", "/son-la/phan-anh-kien-nghi"
PAGES = (*CACHED, "/son-la/tra-cuu", FORM, FEEDBACK, "/son-la/khong-co-trang-nay")


@pytest_asyncio.fixture(scope="module")
async def site() -> AsyncIterator[httpx.AsyncClient]:
    """With forms that ask for a proof of work, as they do in life: that weighs something, too."""
    app, _ = public_site(proof_cost=1)
    async with visitor(app) as client:
        yield client


class Read(HTMLParser):
    """What a page is made of."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.headings: list[int] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append(int(tag[1]))

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def fetched(self) -> list[str]:
        """Addresses that a browser fetches to show the page."""
        found = [a["href"] for a in self.all("link")] + [a["src"] for a in self.all("script") if "src" in a]
        return sorted({*found, *(a["src"] for a in self.all("img"))})


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_is_light_and_needs_nothing_from_elsewhere(site: httpx.AsyncClient, path: str) -> None:
    page = await site.get(path)
    read, weight = Read(page.text), len(page.content)
    for address in read.fetched():
        assert address.startswith("/"), f"{address} is fetched from elsewhere"
        part = await site.get(address)
        assert part.status_code == 200
        weight += len(part.content)
    assert weight <= BUDGET
    assert all("src" in a and "defer" in a for a in read.all("script")), "the first paint waits for no script"
    assert [a for _, a in read.tags if "style" in a or any(name.startswith("on") for name in a)] == []


async def test_a_full_page_of_long_answers_is_light_too() -> None:
    long = [answer_state(n, ANSWERS[0][0], f"{ANSWERS[0][1]} " * 10, f"{ANSWERS[0][2]} " * 20) for n in range(60)]
    app, _ = public_site(answers=long)
    async with visitor(app) as client:
        page = await client.get("/son-la/hoi-dap")
    styles = len(STATIC_FILES["site.css"])
    assert page.text.count('class="panel"') == 10
    assert len(page.content) + styles <= BUDGET
    assert "trang=2" in page.text


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_is_ordered_for_whoever_does_not_see_it(site: httpx.AsyncClient, path: str) -> None:
    read = Read((await site.get(path)).text)
    assert read.headings.count(1) == 1
    steps = [b - a for a, b in zip(read.headings, read.headings[1:], strict=False)]
    assert all(step <= 1 for step in steps), f"a level is left out: {read.headings}"
    names = [tag for tag, _ in read.tags]
    assert [names.count(landmark) for landmark in ("header", "main", "footer")] == [1, 1, 1]
    assert read.all("html")[0]["lang"] == "vi"
    assert read.all("a")[0] == {"class": "skip", "href": "#noi-dung"}
    assert "user-scalable" not in read.all("meta")[1]["content"]


async def test_every_page_has_a_title_and_a_description_of_its_own(site: httpx.AsyncClient) -> None:
    titles: dict[str, str] = {}
    for path in PAGES:
        page = (await site.get(path)).text
        title = re.search(r"<title>([^<]+)</title>", page)
        (described,) = [a["content"] for a in Read(page).all("meta") if a.get("name") == "description"]
        assert title
        assert 20 <= len(described) <= 320
        titles[path.split("?")[0]] = title[1]
    assert len(set(titles.values())) == len(titles)


@pytest.mark.parametrize("path", CACHED)
async def test_public_pages_may_be_kept_for_a_minute_and_set_nothing(site: httpx.AsyncClient, path: str) -> None:
    page = await site.get(path)
    assert page.status_code == 200
    assert page.headers["cache-control"] == "public, max-age=60"
    assert "set-cookie" not in page.headers


@pytest.mark.parametrize("path", ["/son-la/tra-cuu", FORM, FEEDBACK])
async def test_pages_for_one_person_are_kept_nowhere(site: httpx.AsyncClient, path: str) -> None:
    assert (await site.get(path)).headers["cache-control"] == "no-store"


async def test_every_link_inside_the_site_leads_somewhere(site: httpx.AsyncClient) -> None:
    elsewhere = re.compile(r"/(can-bo|so-lieu)")
    links = {a["href"] for path in PAGES for a in Read((await site.get(path)).text).all("a") if a["href"].startswith("/")}
    assert len(links) > 30
    for link in sorted(links):
        if not elsewhere.search(link):
            assert (await site.get(link)).status_code == 200, link


# Feedback


FILLED_IN = {
    "nonce": "trang-phan-anh-so-mot", "group": "3", "text": "Hai văn bản ghi thời hạn khác nhau.", "name": "Lò Thị Mẫu",
    "address": "Tổ 1, phường Mẫu", "phone": "0912345678", "kind": "cooperative", "organisation": "HTX Mẫu", "consent": "2026-01",
}  # fmt: skip


async def test_feedback_is_shown_as_it_was_filled_in_before_it_is_sent_and_gone_back_from(site: httpx.AsyncClient) -> None:
    summary = await site.post(FEEDBACK, data=FILLED_IN | {"action": "review"})
    assert summary.status_code == 200
    assert "Phản ánh, kiến nghị chưa được gửi." in summary.text
    for shown in ("Hai văn bản ghi thời hạn khác nhau.", "0912 345 678", "Hợp tác xã", "HTX Mẫu", "(để trống)"):
        assert f">{shown}<" in summary.text, shown
    hidden = {a["name"]: a["value"] for a in Read(summary.text).all("input") if a.get("type") == "hidden" and a["value"]}
    assert hidden == FILLED_IN
    assert "data-now" in summary.text, "nothing more is typed: the proof is made now"
    form = await site.post(FEEDBACK, data=hidden | {"action": "change"})
    assert form.status_code == 200
    assert re.search(r'value="3" checked', form.text)
    assert "data-fresh" not in form.text, "a draft is older than what comes back"
    assert ">\nHai văn bản ghi thời hạn khác nhau.</textarea>" in form.text


async def test_what_is_missing_of_feedback_is_said_before_the_summary(site: httpx.AsyncClient) -> None:
    refused = await site.post(FEEDBACK, data=FILLED_IN | {"action": "review", "address": ""})
    assert refused.status_code == 422
    assert 'href="#o-address"' in refused.text
    assert "HTX Mẫu" in refused.text


async def test_the_feedback_form_keeps_drafts_and_offers_earlier_answers(site: httpx.AsyncClient) -> None:
    page = (await site.get(FEEDBACK)).text
    assert 'data-draft="son-la/phan-anh" data-fresh' in page
    assert "data-keep-draft" in page
    assert re.search(r"<textarea[^>]* data-suggest", page)
    assert 'data-address="/son-la/hoi-dap/goi-y"' in page


@pytest.mark.parametrize(("hotline", "said"), [(None, "0212.3856.981</a> trong giờ hành chính"), ("1900 0000", "đường dây nóng")])
async def test_about_feedback_one_calls_the_hotline_where_there_is_one(hotline: str | None, said: str) -> None:
    app, intake = public_site()
    profile = intake.agencies["son-la"]
    contacts = profile.contacts.model_copy(update={"hotline": hotline})
    agencies = {**intake.agencies, "son-la": profile.model_copy(update={"contacts": contacts})}
    object.__setattr__(intake, "agencies", agencies)
    async with visitor(app) as client:
        page = (await client.get(FEEDBACK)).text
    assert said in page
    assert f'href="tel:{"19000000" if hotline else "02123856981"}">' in page[page.index("<main") :]


# Search


async def test_answers_are_searched_by_words_section_and_year(site: httpx.AsyncClient) -> None:
    async def found(query: str) -> list[str]:
        return re.findall(r'<h2><a href="/son-la/hoi-dap/[^"]+">([^<]{12})', (await site.get(f"/son-la/hoi-dap?{query}")).text)

    assert len(await found("")) == len(ANSWERS)
    assert await found("q=NHAN hieu") == await found("q=tập thể, nhãn") == ["Hợp tác xã m"]
    assert len(await found("muc=3")) == 2
    assert await found("nam=2024") == []
    assert await found("q=zzz") == []


@pytest.mark.parametrize("query", ["muc=99", "muc=x", "nam=1", "nam=99999", "trang=0", "trang=7", "trang=x"])
async def test_what_cannot_be_asked_for_is_not_found(site: httpx.AsyncClient, query: str) -> None:
    assert (await site.get(f"/son-la/hoi-dap?{query}")).status_code == 404


async def test_what_is_typed_is_shown_as_text(site: httpx.AsyncClient) -> None:
    page = await site.get("/son-la/hoi-dap", params={"q": "<script>alert(1)</script>"})
    assert "<script>alert" not in page.text
    assert "&lt;script&gt;" in page.text


@pytest.mark.parametrize("path", ["/son-la/hoi-dap/aaaaaaaaaaaaa", "/son-la/hoi-dap/x", "/hoa-binh/hoi-dap", "/hoa-binh/thu-tuc"])
async def test_unknown_addresses_say_where_to_go(site: httpx.AsyncClient, path: str) -> None:
    page = await site.get(path)
    assert page.status_code == 404
    assert "Không tìm thấy trang" in page.text
    if path.startswith("/son-la"):
        assert "Có thể Ông/Bà đang tìm" in page.text


async def test_suggestions_come_for_a_text_in_the_body(site: httpx.AsyncClient) -> None:
    typed = "Chúng tôi muốn đăng ký nhãn hiệu tập thể cho chè"
    answer = await site.post("/son-la/hoi-dap/goi-y", data={"text": typed})
    assert answer.headers["cache-control"] == "no-store"
    (first,) = answer.json()["answers"]
    assert first["question"] == ANSWERS[2][1]
    assert (await site.get(first["href"])).status_code == 200
    assert (await site.get("/son-la/hoi-dap/goi-y", params={"text": typed})).status_code == 404
    assert (await site.post("/son-la/hoi-dap/goi-y", data={"text": ""})).json() == {"answers": []}


# What it says


async def test_an_open_dialogue_says_how_long_and_how_that_is_counted(site: httpx.AsyncClient) -> None:
    page = (await site.get(f"/son-la/doi-thoai/{PLAN}-1")).text
    assert "Còn 18 ngày: cách tính" in page
    assert "26/4 (nghỉ lễ)" in page
    assert "https://www.openstreetmap.org/search?query=" in page
    assert "Hồ sơ đăng ký chủ trì đề tài" in page, "its published answers"


@pytest.mark.parametrize("path", [f"doi-thoai/{PLAN}-1", f"ke-hoach/{PLAN}", "doi-thoai"])
async def test_a_late_dialogue_says_what_happens_to_the_form(path: str) -> None:
    late = sample_plans()[0].dialogues[0].state.closes_at
    assert late is not None
    only = sample_plans()[0]
    one = type(only)(only.id, only.state, only.dialogues[:1])
    app, _ = public_site(now=late.replace(day=12), plans=[one])
    async with visitor(app) as client:
        page = (await client.get(f"/son-la/{path}")).text
    assert "không bị loại" in page
    assert "phản ánh, kiến nghị và trả lời bằng văn bản" in page


FULL_PAGES = ["", f"doi-thoai/{PLAN}-1", f"ke-hoach/{PLAN}", "doi-thoai", f"dang-ky/{PLAN}"]


@pytest.mark.parametrize("path", FULL_PAGES)
@pytest.mark.parametrize("registered", [59, 60])
async def test_a_full_dialogue_says_what_happens_to_the_form(path: str, registered: int) -> None:
    only = sample_plans()[0]
    first = only.dialogues[0]
    seats = replace(first, state=first.state.model_copy(update={"capacity": 60}), registered=registered)
    app, _ = public_site(plans=[replace(only, dialogues=(seats,))])
    async with visitor(app) as client:
        page = (await client.get(f"/son-la/{path}")).text
    assert ("không bị loại" in page, "bố trí chỗ" in page) == (registered == 60, registered == 60)
    assert "action=" in page or f'href="/son-la/dang-ky/{PLAN}"' in page, "one may register all the same"
    if path == f"doi-thoai/{PLAN}-1":
        assert "<dt>Số chỗ</dt><dd>60" in page


async def test_of_several_dialogues_the_full_one_is_marked_where_one_chooses() -> None:
    this = sample_plans()[0]
    first = replace(this.dialogues[0], state=this.dialogues[0].state.model_copy(update={"capacity": 1}), registered=1)
    app, _ = public_site(plans=[replace(this, dialogues=(first, this.dialogues[1]))])
    async with visitor(app) as client:
        page = (await client.get(f"/son-la/dang-ky/{PLAN}")).text
    marked = [option for option in re.findall(r"<option[^>]*>([^<]*)</option>", page) if "(đã đủ chỗ)" in option]
    assert len(marked) == 1
    assert marked[0].startswith("Lần 1")


async def test_contacts_name_everything_a_person_needs(site: httpx.AsyncClient) -> None:
    page = (await site.get("/son-la/lien-he")).text
    wanted = "tel:02123856981|mailto:skhcn@son-la.example|Tiếp công dân|Giờ làm việc|openstreetmap.org|Thanh tra Sở"
    for part in wanted.split("|"):
        assert part in page


async def test_procedures_lead_to_the_national_portal_and_say_that_they_are_samples(site: httpx.AsyncClient) -> None:
    page = (await site.get("/son-la/thu-tuc?q=buc xa x-quang giay phep")).text
    assert "ma_thu_tuc=2.002380" in page
    assert "1 thủ tục trong tổng số 10" in page
    assert "Danh mục mẫu" in page


# Papers and files for machines


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (f"ke-hoach/{PLAN}/mau-phieu.pdf", "Nơi thường trú"),
        (f"ke-hoach/{PLAN}/ke-hoach.pdf", "Giám đốc Sở hoặc Phó Giám đốc Sở"),
        ("hoi-dap/niem-yet.pdf?nam=2026", "cột đo xăng dầu"),
        ("hoi-dap/niem-yet.pdf?nam=2024", "Không phát sinh"),
    ],
)
async def test_papers_come_as_pdf(site: httpx.AsyncClient, path: str, words: str) -> None:
    answer = await site.get(f"/son-la/{path}")
    assert answer.headers["content-type"] == "application/pdf"
    text = "\n".join(page.extract_text() for page in pypdf.PdfReader(BytesIO(answer.content)).pages)
    assert words in " ".join(text.split())


@pytest.mark.parametrize("name", ["mau-phieu.docx", "ke-hoach.docx"])
async def test_papers_come_as_docx_to_be_saved(site: httpx.AsyncClient, name: str) -> None:
    answer = await site.get(f"/son-la/ke-hoach/{PLAN}/{name}")
    assert answer.headers["content-disposition"].startswith("attachment")
    words = "\n".join(paragraph.text for paragraph in docx.Document(BytesIO(answer.content)).paragraphs)
    assert ("Họ và tên: \t" in words) is (name == "mau-phieu.docx")
    assert ("1. Đối tượng, nội dung" in words) is (name == "ke-hoach.docx")


async def test_robots_find_the_public_pages_alone(site: httpx.AsyncClient) -> None:
    robots = (await site.get("/robots.txt")).text
    assert "Disallow: /*/can-bo/" in robots
    assert "Sitemap: https://doi-thoai.example/son-la/sitemap.xml" in robots
    listed = ElementTree.fromstring((await site.get("/son-la/sitemap.xml")).content)  # noqa: S314 - our own
    addresses = [element.text or "" for element in listed.iter() if element.tag.endswith("loc")]
    assert f"https://doi-thoai.example/son-la/doi-thoai/{PLAN}-1" in addresses
    assert f"https://doi-thoai.example{ANSWER}" in addresses
    assert not any(re.search(r"can-bo|tra-cuu|dang-ky", address) for address in addresses)


async def test_the_agency_s_emblem_is_its_own(site: httpx.AsyncClient) -> None:
    emblem = await site.get("/son-la/bieu-trung.svg")
    assert emblem.headers["content-type"] == "image/svg+xml"
    assert emblem.content != (await site.get("/bac-kan/bieu-trung.svg")).content
    assert "/son-la/bieu-trung.svg" in (await site.get("/son-la/")).text


# The design system


def _colours() -> dict[str, str]:
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{3,6});", (STATIC / "site.css").read_text()))


def _luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(d * 2 for d in colour[1:])
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize(
    ("ink", "grounds", "least"),
    [
        ("ink", "surface paper primary-soft info-soft warning-soft danger-soft good-soft", 7),
        ("muted", "surface paper", 4.5),
        ("primary", "surface paper primary-soft info-soft", 4.5),
        ("primary-dark", "surface paper", 7),
        ("danger", "surface danger-soft", 4.5),
        ("warning", "warning-soft", 4.5),
        ("good", "good-soft", 4.5),
        ("info", "info-soft", 4.5),
        ("field", "surface", 3),
        ("focus", "ink primary-dark", 3),
    ],
)
def test_colours_stand_out_from_what_they_lie_on(ink: str, grounds: str, least: float) -> None:
    colours = _colours()
    for ground in grounds.split():
        assert _contrast(colours[ink], colours[ground]) >= least, ground


def test_nothing_in_the_design_clips_an_accent() -> None:
    """Vietnamese capitals carry two marks: a line needs room above."""
    css = (STATIC / "site.css").read_text()
    heights = [float(h) for h in re.findall(r"line-height: ([\d.]+)[;}]", css)]
    assert heights
    assert min(heights) >= 1.3
