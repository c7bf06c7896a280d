"""The printed documents against NĐ 30/2020 appendix I and the two seed forms, read back from the PDF itself."""

import io
import re
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pdfplumber
import pypdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from deploy.local.downloads import font_dir
from kit.documents import (
    DRAFT,
    NO_TASKS,
    SAMPLE,
    BlankForm,
    Conclusion,
    ConclusionItem,
    ConclusionNotice,
    DatedAt,
    Document,
    FontsMissing,
    FormSection,
    Invitation,
    NoticeBoard,
    OfficialLetter,
    PersonalSlip,
    PlainLetter,
    PlanPaper,
    PlanPart,
    PostedAnswer,
    ReceiptSlip,
    Signer,
    SlipQuestion,
    render_pdf,
)
from kit.documents.models import clean_line, clean_text

MM = 72 / 25.4
TOLERANCE = 0.5
SINGLE_SPACING = 1.149
"""Line pitch of Times New Roman at single spacing, in em."""
FACES = {"": "LiberationSerif", "b": "LiberationSerif-Bold", "i": "LiberationSerif-Italic", "bi": "LiberationSerif-BoldItalic"}
HOSTILE = r'#panic("x") $x^2$ @ref *b* _i_ `c` <lab> \u{41} \\ // /* */ ~ -- --- ... "q" \'q\' = + [x] {y} #include'

HEAD: dict[str, Any] = {
    "superior": "UBND tỉnh Sơn La",
    "issuer": "Sở Khoa học và Công nghệ",
    "dated_at": DatedAt.of("Sơn La", date(2026, 1, 5)),
    "recipients": ("Như trên", "Lãnh đạo Sở (chỉ đạo)", "Lưu: VT, VP"),
    "signer": Signer(authority=("KT. GIÁM ĐỐC", "PHÓ GIÁM ĐỐC"), name="Trần Văn Mẫu"),
}
TASK = "tham mưu trả lời nội dung số 3, xong trước ngày 30/01/2026, báo cáo lãnh đạo Sở trước khi gửi đến cá nhân;"
PARAGRAPH = "Sở Khoa học và Công nghệ yêu cầu các phòng, đơn vị thuộc Sở nghiêm túc triển khai thực hiện các nội dung này. "


def invitation(**changes: Any) -> Invitation:
    fields: dict[str, Any] = {
        "number": "5",
        "symbol": "GM-SKHCN",
        "subject": "Dự Hội nghị đối thoại trực tiếp với tổ chức, cá nhân năm 2026",
        "host": "Sở Khoa học và Công nghệ tỉnh Sơn La",
        "invitees": "tổ chức, cá nhân đã đăng ký tham gia đối thoại",
        "event": "Hội nghị đối thoại trực tiếp với tổ chức, cá nhân về thủ tục hành chính và giải quyết thủ tục hành chính",
        "chair": "Giám đốc Sở",
        "time": "14 giờ 00, ngày 22/01/2026 (thứ Năm)",
        "venue": "Hội trường Sở, tầng 3, tòa nhà 6T1",
        "closing": "Sở Khoa học và Công nghệ rất mong Ông/Bà đến dự đúng giờ để Hội nghị đạt kết quả.",
    }
    return Invitation(**(HEAD | fields | changes))


def notice(conclusions: int = 3, **changes: Any) -> ConclusionNotice:
    item = ConclusionItem(units=("Phòng Quản lý Khoa học", "Văn phòng Sở"), text=TASK)
    fields: dict[str, Any] = {
        "symbol": "TB-SKHCN",
        "subject": "Kết luận của Giám đốc Sở tại Hội nghị đối thoại lần 1 năm 2026",
        "opening": ("Hội nghị đã xem xét 21 nội dung. Giám đốc Sở kết luận như sau:",),
        "conclusions": (Conclusion(text="Những nội dung giao trả lời bằng văn bản:", items=(item,)),) * conclusions,
        "closing": "Trên đây là kết luận của Giám đốc Sở tại Hội nghị đối thoại./.",
    }
    return ConclusionNotice(**(HEAD | fields | changes))


def letter(**changes: Any) -> OfficialLetter:
    fields: dict[str, Any] = {
        "symbol": "SKHCN-VP",
        "summary": "hướng dẫn gửi nội dung đến cơ quan có thẩm quyền",
        "addressees": ("Ông/Bà Nguyễn Thị Mẫu",),
        "paragraphs": (PARAGRAPH * 3, PARAGRAPH * 2, "Nếu cần hỗ trợ thêm, xin gọi 0212.0000.001. Trân trọng"),
    }
    return OfficialLetter(**(HEAD | fields | changes))


def plan(**changes: Any) -> PlanPaper:
    fields: dict[str, Any] = {
        "number": "8",
        "symbol": "KH-SKHCN",
        "subject": "Tổ chức đối thoại trực tiếp với tổ chức, cá nhân về thủ tục hành chính năm 2026",
        "parts": (
            PlanPart(heading="Đối tượng", paragraphs=("Tổ chức, cá nhân trên địa bàn tỉnh có kiến nghị, phản ánh.",)),
            PlanPart(heading="Thời gian, địa điểm", paragraphs=("Lần 1: trong quý II.", "Lần 2: trong quý IV.")),
        ),
        "closing": "Trên đây là Kế hoạch tổ chức đối thoại năm 2026.",
    }
    return PlanPaper(**(HEAD | fields | changes))


def slip(**changes: Any) -> PersonalSlip:
    fields: dict[str, Any] = {
        "issuer": "Sở Khoa học và Công nghệ tỉnh Sơn La",
        "name": "Ông/Bà Nguyễn Thị Mẫu",
        "event": "Hội nghị đối thoại trực tiếp năm 2026",
        "time": "14 giờ 00, ngày 22/01/2026 (thứ Năm)",
        "venue": "Hội trường Sở",
        "order": 7,
        "questions": (SlipQuestion(section="Về thủ tục hành chính", text="Kiểm định cân ở chợ do ai làm?"),),
        "confirm": "Xin gọi 0212.0000.001 trước ngày 20/01/2026.",
        "contact": "Văn phòng Sở",
    }
    return PersonalSlip(**(fields | changes))


def receipt(**changes: Any) -> ReceiptSlip:
    fields: dict[str, Any] = {
        "superior": "UBND tỉnh Sơn La",
        "issuer": "Sở Khoa học và Công nghệ",
        "registrant": "Ông/Bà Nguyễn Thị Mẫu",
        "received": "09 giờ 15 ngày 04/5/2026 (thứ Hai)",
        "incoming_number": "123",
        "question_count": 3,
        "case_number": "SL-2026-000123",
        "code": "K7QM-3XPA-9TRD-V2",
        "lookup": "https://doithoai.sonla.example/tra-cuu",
        "received_by": "Lò Thị Mẫu",
        "contact": "0212.0000.001",
    }
    return ReceiptSlip(**(fields | changes))


def plain_letter(**changes: Any) -> PlainLetter:
    fields: dict[str, Any] = {
        "issuer": "Sở Khoa học và Công nghệ",
        "addressee": ("Ông/Bà Nguyễn Thị Mẫu", "Bản Mẫu, xã Chiềng Mẫu, tỉnh Sơn La"),
        "dated_at": DatedAt.of("Sơn La", date(2026, 5, 4)),
        "subject": "Đã tiếp nhận phiếu đăng ký tham gia đối thoại",
        "salutation": "Kính gửi Ông/Bà Nguyễn Thị Mẫu,",
        "paragraphs": (PARAGRAPH * 2, "Trân trọng."),
        "signature": ("VĂN PHÒNG SỞ KHOA HỌC VÀ CÔNG NGHỆ", "TỈNH SƠN LA"),
        "enclosures": ("Giấy mời", "Phiếu dành cho người tham dự"),
    }
    return PlainLetter(**(fields | changes))


SON_LA_FORM = BlankForm(
    dated_at=DatedAt(place="Sơn La", year=2022),
    addressee="Lãnh đạo Sở Khoa học và Công nghệ.",
    fields=("Họ và tên", "Nơi thường trú", "Điện thoại liên hệ"),
    intro="Đăng ký tham gia Hội nghị đối thoại trực tiếp với tổ chức, công dân về thủ tục hành chính và giải quyết thủ tục "
    "hành chính thuộc phạm vi, chức năng quản lý nhà nước của Sở Khoa học và Công nghệ năm 2022 như sau:",
    sections=(
        FormSection(heading="1. Về lĩnh vực quản lý khoa học:"),
        FormSection(heading="2. Về lĩnh vực quản lý công nghệ và chuyên ngành:"),
        FormSection(heading="3. Về lĩnh vực tiêu chuẩn đo lường chất lượng:"),
        FormSection(heading="4. Về lĩnh vực thông tin ứng dụng khoa học công nghệ:"),
        FormSection(heading="5. Về lĩnh vực khác thuộc thẩm quyền của Sở Khoa học và Công nghệ:"),
    ),
    signature="NGƯỜI ĐĂNG KÝ",
)
BAC_KAN_FORM = BlankForm(
    dated_at=DatedAt(place="Bắc Kạn", month=11, year=2021),
    dated_on_top=True,
    subtitle=("Về thủ tục hành chính, giải quyết thủ tục hành chính lĩnh vực khoa học và công nghệ năm 2021",),
    addressee="Sở Khoa học và Công nghệ tỉnh Bắc Kạn",
    fields=("Họ và tên", "Điện thoại", "Địa chỉ", "Email"),
    intro="Đăng ký tham gia Hội nghị đối thoại trực tiếp với Lãnh đạo Sở Khoa học và Công nghệ như sau:",
    sections=(
        FormSection(heading="1. Về thủ tục hành chính:", lines=11),
        FormSection(heading="2. Về giải quyết thủ tục hành chính", lines=9),
    ),
    note="* Ghi chú đối với tổ chức, doanh nghiệp: Viết tên người đại diện và tên tổ chức, doanh nghiệp",
)
NOTICE_BOARD = NoticeBoard(
    superior="UBND tỉnh Sơn La",
    issuer="Sở Khoa học và Công nghệ",
    dated_at=DatedAt.of("Sơn La", date(2026, 1, 5)),
    heading="TỔNG HỢP Ý KIẾN, KIẾN NGHỊ VÀ NỘI DUNG TRẢ LỜI",
    subject="Năm 2026",
    answers=(
        PostedAnswer(section="Về lĩnh vực quản lý khoa học", question="Hồ sơ gồm những gì?", answer="Hồ sơ gồm thuyết minh."),
    ),
)
OFFICIAL = [invitation, notice, letter, plan]
ALL: list[Document] = [
    invitation(),
    notice(),
    letter(),
    slip(),
    receipt(),
    plain_letter(),
    SON_LA_FORM,
    BAC_KAN_FORM,
    plan(),
    NOTICE_BOARD,
]


@pytest.fixture(scope="module")
def fonts() -> Path:
    return font_dir()


@pytest.fixture(scope="module")
def pages(fonts: Path) -> Callable[[Document], list[Any]]:
    """Of a document; those of the same one are drawn and read once."""
    return cache(lambda document: pdfplumber.open(io.BytesIO(render_pdf(document, fonts))).pages)


def read(pdf: bytes) -> pypdf.PdfReader:
    return pypdf.PdfReader(io.BytesIO(pdf))


def text_of(pages: list[Any]) -> str:
    return "\n".join(upright(page).extract_text() for page in pages)


def upright(page: Any) -> Any:
    """The page without its watermark."""
    return page.filter(lambda thing: thing["object_type"] != "char" or not slanted(thing))


def slanted(char: dict[str, Any]) -> bool:
    return bool(char["matrix"][1])


def find(page: Any, text: str) -> dict[str, Any]:
    """The one place of a text that stands on one line; with its face and size."""
    matches = upright(page).search(re.escape(text))
    assert len(matches) == 1, f"{text!r} stands {len(matches)} times"
    chars = [char for char in matches[0]["chars"] if char["text"].strip()]
    faces = {(char["fontname"].split("+")[-1], round(char["size"], 1)) for char in chars}
    assert len(faces) == 1, f"{text!r} is set in {faces}"
    ((face, size),) = faces
    return {**matches[0], "face": face, "size": size, "centre": (chars[0]["x0"] + chars[-1]["x1"]) / 2}


def rule_under(page: Any, place: dict[str, Any]) -> dict[str, Any]:
    below = [line for line in page.lines if 0 <= line["top"] - place["bottom"] < 6]
    assert len(below) >= 1, "no rule under it"
    return min(below, key=lambda line: abs((line["x0"] + line["x1"]) / 2 - place["centre"]))


def squeezed(text: str) -> str:
    return re.sub(r"[\s\u200b]+", "", text)


@pytest.mark.parametrize("document", ALL, ids=lambda document: type(document).__name__)
class TestEveryDocument:
    def test_embeds_liberation_serif_and_nothing_else(self, document: Document, fonts: Path) -> None:
        found = set()
        for page in read(render_pdf(document, fonts)).pages:
            resources: Any = page["/Resources"]
            for font in resources["/Font"].values():
                descendant = font["/DescendantFonts"][0]
                descriptor = descendant["/FontDescriptor"]
                assert {"/FontFile2", "/FontFile3"} & set(descriptor), "not embedded"
                found.add(descriptor["/FontName"].split("+")[-1])
        assert found
        assert {name.removesuffix("-Identity-H") for name in found} <= set(FACES.values())

    def test_is_the_same_bytes_each_time(self, document: Document, fonts: Path) -> None:
        assert render_pdf(document, fonts) == render_pdf(document, fonts)

    def test_fits_one_page_with_room_for_its_sample_mark(
        self, document: Document, pages: Callable[[Document], list[Any]]
    ) -> None:
        marked = pages(document.model_copy(update={"watermark": SAMPLE}))
        assert len(marked) == 1
        mark = "".join(char["text"] for char in marked[0].chars if slanted(char))
        assert squeezed(mark) == squeezed(SAMPLE)

    def test_text_is_composed_vietnamese(self, document: Document, pages: Callable[[Document], list[Any]]) -> None:
        text = text_of(pages(document))
        assert unicodedata.is_normalized("NFC", text)
        assert "Khoa học và Công nghệ".upper() in text.upper()
        assert "\ufffd" not in text

    def test_metadata_name_the_kind_only(self, document: Document, fonts: Path) -> None:
        reader = read(render_pdf(document, fonts))
        catalogue: Any = reader.trailer["/Root"]
        assert reader.metadata is not None
        assert reader.metadata.title == document.title
        assert reader.metadata.author is None
        assert catalogue["/Lang"] == "vi"


@pytest.mark.parametrize("make", OFFICIAL, ids=lambda make: make.__name__)
class TestOfficialLayout:
    """NĐ 30, appendix I, table of elements."""

    @pytest.mark.parametrize(
        ("text", "sizes", "face", "side"),
        [
            ("CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM", (12, 13), "b", "right"),
            ("Độc lập - Tự do - Hạnh phúc", (13, 14), "b", "right"),
            ("UBND TỈNH SƠN LA", (12, 13), "", "left"),
            ("SỞ KHOA HỌC VÀ CÔNG NGHỆ", (12, 13), "b", "left"),
            ("Số:", (13, 13), "", "left"),
            ("Sơn La, ngày 05 tháng 01 năm 2026", (13, 14), "i", "right"),
            ("KT. GIÁM ĐỐC", (13, 14), "b", "right"),
            ("Trần Văn Mẫu", (13, 14), "b", "right"),
            ("Nơi nhận:", (12, 12), "bi", "left"),
            ("- Như trên;", (11, 11), "", "left"),
            ("- Lưu: VT, VP.", (11, 11), "", "left"),
        ],
    )
    def test_element(
        self,
        make: Callable[[], Document],
        text: str,
        sizes: tuple[int, int],
        face: str,
        side: str,
        pages: Callable[[Document], list[Any]],
    ) -> None:
        page = pages(make())[0]
        place = find(page, text)
        assert sizes[0] <= place["size"] <= sizes[1]
        assert place["face"] == FACES[face]
        assert (place["centre"] > page.width / 2) is (side == "right")

    def test_heading_rows_and_rules(self, make: Callable[[], Document], pages: Callable[[Document], list[Any]]) -> None:
        page = pages(make())[0]
        nation, motto = find(page, "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM"), find(page, "Độc lập - Tự do - Hạnh phúc")
        superior, issuer = find(page, "UBND TỈNH SƠN LA"), find(page, "SỞ KHOA HỌC VÀ CÔNG NGHỆ")
        assert nation["top"] < motto["top"]
        assert superior["top"] == pytest.approx(nation["top"], abs=1)
        assert motto["centre"] == pytest.approx(nation["centre"], abs=1)
        assert issuer["centre"] == pytest.approx(superior["centre"], abs=1)
        assert find(page, "Số:")["bottom"] == pytest.approx(find(page, "Sơn La, ngày 05 tháng 01")["bottom"], abs=1)

        under_motto, under_issuer = rule_under(page, motto), rule_under(page, issuer)
        assert under_motto["width"] == pytest.approx(motto["x1"] - motto["x0"], abs=1.5)
        assert 1 / 3 <= under_issuer["width"] / (issuer["x1"] - issuer["x0"]) <= 1 / 2
        assert (under_issuer["x0"] + under_issuer["x1"]) / 2 == pytest.approx(issuer["centre"], abs=1)

    def test_signature_stands_level_with_the_recipients(
        self, make: Callable[[], Document], pages: Callable[[Document], list[Any]]
    ) -> None:
        page = pages(make())[0]
        assert find(page, "Nơi nhận:")["bottom"] == pytest.approx(find(page, "KT. GIÁM ĐỐC")["bottom"], abs=2)
        assert find(page, "Trần Văn Mẫu")["top"] - find(page, "PHÓ GIÁM ĐỐC")["bottom"] > 20 * MM

    def test_page_and_margins(self, make: Callable[[], Document], pages: Callable[[Document], list[Any]]) -> None:
        assert_margins(pages(make())[0])


def assert_margins(page: Any) -> None:
    assert page.width == pytest.approx(210 * MM, abs=TOLERANCE)
    assert page.height == pytest.approx(297 * MM, abs=TOLERANCE)
    body = [char for char in page.chars if not slanted(char) and char["text"].strip() and char["bottom"] > 20 * MM]
    left, right = min(char["x0"] for char in body), max(char["x1"] for char in body)
    top, bottom = min(char["top"] for char in body), max(char["bottom"] for char in body)
    assert 30 * MM - TOLERANCE <= left <= 35 * MM
    assert 15 * MM - TOLERANCE <= page.width - right <= 20 * MM
    assert 20 * MM - TOLERANCE <= top <= 25 * MM
    assert page.height - bottom >= 20 * MM - TOLERANCE


def test_kind_and_subject_are_bold_and_centred_with_a_rule(pages: Callable[[Document], list[Any]]) -> None:
    page = pages(invitation())[0]
    text_centre = (30 + 195) / 2 * MM
    kind, subject = find(page, "GIẤY MỜI"), find(page, "Dự Hội nghị đối thoại trực tiếp với tổ chức, cá nhân năm 2026")
    for place in (kind, subject):
        assert 13 <= place["size"] <= 14
        assert place["face"] == FACES["b"]
        assert place["centre"] == pytest.approx(text_centre, abs=1)
    assert 1 / 3 <= rule_under(page, subject)["width"] / (subject["x1"] - subject["x0"]) <= 1 / 2


def test_official_letter_has_its_summary_under_the_number(pages: Callable[[Document], list[Any]]) -> None:
    page = pages(letter())[0]
    number, summary = find(page, "Số:"), find(page, "V/v hướng dẫn")
    assert 12 <= summary["size"] <= 13
    assert summary["face"] == FACES[""]
    assert summary["top"] > number["top"]
    assert summary["x1"] < page.width / 2


def test_body_is_justified_with_indent_and_spacing(pages: Callable[[Document], list[Any]]) -> None:
    page = pages(letter())[0]
    start, end = find(page, "Kính gửi")["bottom"], find(page, "KT. GIÁM ĐỐC")["top"]
    body = [line for line in page.extract_text_lines(return_chars=True) if start < line["top"] < end]
    assert all(13 <= char["size"] <= 14 for line in body for char in line["chars"])
    first = [line for line in body if line["x0"] > 31 * MM]
    assert len(first) == 3
    for line in first:
        assert 10 * MM - TOLERANCE <= line["x0"] - 30 * MM <= 12.7 * MM + TOLERANCE
    for line, following in pairwise(body):
        pitch = following["bottom"] - line["bottom"]
        if following in first:
            assert pitch >= SINGLE_SPACING * 14 + 6
        else:
            assert line["x1"] == pytest.approx(195 * MM, abs=1), "not justified"
            assert SINGLE_SPACING * 14 <= pitch <= 1.5 * SINGLE_SPACING * 14


@pytest.mark.parametrize("make", OFFICIAL, ids=lambda make: make.__name__)
def test_body_ends_with_the_closing_mark_once(make: Callable[[], Document], pages: Callable[[Document], list[Any]]) -> None:
    body = text_of(pages(make())).split("Nơi nhận:")[0]
    assert body.count("./.") == 1
    assert not re.search(r"\.\s*\./\.", body)


class TestManyPages:
    def test_page_numbers_from_page_two_in_the_top_margin(self, pages: Callable[[Document], list[Any]]) -> None:
        rendered = pages(notice(conclusions=40))
        assert len(rendered) >= 3
        for number, page in enumerate(rendered, start=1):
            above = [char for char in page.chars if char["bottom"] < 20 * MM]
            assert "".join(char["text"] for char in above) == ("" if number == 1 else str(number))
            for char in above:
                assert 13 <= char["size"] <= 14
                assert (above[0]["x0"] + above[-1]["x1"]) / 2 == pytest.approx((30 + 195) / 2 * MM, abs=1)
            assert_margins(page)

    def test_every_conclusion_is_printed_in_order(self, pages: Callable[[Document], list[Any]]) -> None:
        rendered = pages(notice(conclusions=40))
        text = "\n".join(page.crop((0, 19 * MM, page.width, page.height)).extract_text() for page in rendered)
        assert re.findall(r"^(\d+)\. Những", text, re.MULTILINE) == [str(n) for n in range(1, 41)]
        assert text.replace("\n", " ").count(f"- Phòng Quản lý Khoa học, Văn phòng Sở: {TASK}") == 40

    @pytest.mark.parametrize("lines", range(60, 120, 4))
    def test_no_signature_and_no_conclusion_heading_stands_alone(
        self, lines: int, pages: Callable[[Document], list[Any]]
    ) -> None:
        opening = ("Hội nghị đã xem xét các nội dung. " * lines,)
        texts = [text_of([page]) for page in pages(notice(conclusions=6, opening=opening))]
        with_signature = next(text for text in texts if "Nơi nhận:" in text)
        assert "tại Hội nghị đối thoại./." in with_signature
        assert "Trần Văn Mẫu" in with_signature
        assert not any(text.endswith("văn bản:") for text in texts)


class TestNumbersAndDates:
    @pytest.mark.parametrize(
        ("number", "line"),
        [
            ("5", "Số: 05/GM-SKHCN"),
            ("05", "Số: 05/GM-SKHCN"),
            ("105", "Số: 105/GM-SKHCN"),
            ("7a", "Số: 7a/GM-SKHCN"),
        ],
    )
    def test_number(self, number: str, line: str, pages: Callable[[Document], list[Any]]) -> None:
        assert line in text_of(pages(invitation(number=number)))

    def test_a_draft_leaves_room_for_number_and_day(self, pages: Callable[[Document], list[Any]]) -> None:
        page = pages(invitation(number="", dated_at=DatedAt(place="Sơn La", year=2026), watermark=DRAFT))[0]
        number, symbol = find(page, "Số:"), find(page, "/GM-SKHCN")
        assert symbol["x0"] - number["x1"] > 5 * MM
        day, month = find(page, "Sơn La, ngày"), find(page, "tháng")
        assert month["x0"] - day["x1"] > 5 * MM

    @pytest.mark.parametrize(
        ("on", "line"),
        [
            (date(2026, 1, 5), "Sơn La, ngày 05 tháng 01 năm 2026"),
            (date(2026, 2, 28), "Sơn La, ngày 28 tháng 02 năm 2026"),
            (date(2026, 3, 9), "Sơn La, ngày 09 tháng 3 năm 2026"),
            (date(2026, 11, 20), "Sơn La, ngày 20 tháng 11 năm 2026"),
        ],
    )
    def test_days_and_the_first_two_months_are_padded(self, on: date, line: str) -> None:
        assert DatedAt.of("Sơn La", on).line == line


class TestContents:
    def test_invitation_leaves_out_what_is_not_given(self, pages: Callable[[Document], list[Any]]) -> None:
        text = text_of(pages(invitation())).replace("\n", " ")
        assert "Hình thức" not in text
        assert "Thành phần cùng dự" not in text
        labels = ["trân trọng kính mời:", "Tới dự:", "Chủ trì:", "Thời gian:", "Địa điểm:", "đạt kết quả./."]
        assert [text.index(label) for label in labels] == sorted(text.index(label) for label in labels)

    def test_notice_without_conclusions_says_so(self, pages: Callable[[Document], list[Any]]) -> None:
        assert squeezed(NO_TASKS) in squeezed(text_of(pages(notice(conclusions=0))))
        assert squeezed(NO_TASKS) not in squeezed(text_of(pages(notice(conclusions=1))))

    def test_kind_is_a_setting(self, pages: Callable[[Document], list[Any]]) -> None:
        text = text_of(pages(notice(kind="KẾT LUẬN", symbol="KL-SKHCN")))
        assert "KẾT LUẬN" in text
        assert "THÔNG BÁO" not in text

    def test_letter_to_many_lists_them(self, pages: Callable[[Document], list[Any]]) -> None:
        text = text_of(pages(letter(addressees=("Phòng Quản lý Khoa học", "Thanh tra Sở"))))
        assert "- Phòng Quản lý Khoa học;" in text
        assert "- Thanh tra Sở." in text

    def test_slip_shows_the_speaking_order_large(self, pages: Callable[[Document], list[Any]]) -> None:
        page = pages(slip(order=42))[0]
        assert find(page, "42")["size"] >= 24
        assert (page.width, page.height) == pytest.approx((148 * MM, 210 * MM), abs=1)
        text = text_of([page])
        assert "1. Về thủ tục hành chính" in text
        assert "Kiểm định cân ở chợ do ai làm?" in text

    def test_slip_before_the_order_is_fixed(self, pages: Callable[[Document], list[Any]]) -> None:
        assert "Sở sẽ báo" in text_of(pages(slip(order=None)))

    def test_slip_with_long_questions_takes_more_pages(self, pages: Callable[[Document], list[Any]]) -> None:
        questions = tuple(SlipQuestion(section=f"Mục {n}", text="Thủ tục này mất bao lâu? " * 400) for n in range(3))
        rendered = pages(slip(questions=questions))
        assert len(rendered) > 3
        assert text_of(rendered).count("lâu?") == 1200

    def test_receipt_shows_the_code_large(self, pages: Callable[[Document], list[Any]]) -> None:
        page = pages(receipt())[0]
        assert find(page, "K7QM-3XPA-9TRD-V2")["size"] >= 24
        text = text_of([page]).replace("\n", " ")
        assert "lúc 09 giờ 15 ngày 04/5/2026 (thứ Hai); số đến 123; gồm 03 nội dung." in text
        assert "số đến" not in text_of(pages(receipt(incoming_number="")))

    def test_address_stands_in_the_envelope_window(self, pages: Callable[[Document], list[Any]]) -> None:
        long = ("Hợp tác xã Nông nghiệp sạch và Dịch vụ tổng hợp Chiềng Mẫu " * 2,) * 5 + ("Tỉnh cuối",)
        for addressee in (("Ông/Bà Nguyễn Thị Mẫu", "Bản Mẫu", "Tỉnh cuối"), long):
            page = pages(plain_letter(addressee=addressee, salutation="Kính gửi Ông/Bà,"))[0]
            top, bottom = find(page, "Tỉnh cuối")["top"], find(page, "Tỉnh cuối")["bottom"]
            first = [c for c in page.chars if 45 * MM <= c["top"] <= bottom and c["text"].strip()]
            assert top > 45 * MM
            assert bottom <= 90 * MM
            assert all(char["x0"] >= 20 * MM and char["x1"] <= 110 * MM for char in first)
            assert find(page, "Sơn La, ngày 04 tháng 5")["top"] > 90 * MM


class TestBlankForms:
    """D2: the printed blanks are the seeds'."""

    def printed(self, form: BlankForm, pages: Callable[[Document], list[Any]]) -> list[str]:
        (page,) = pages(form)
        lines = [re.sub(r"\.{10,}", "…", line) for line in text_of([page]).splitlines()]
        return [line for line in lines if line.strip()]

    def test_son_la(self, pages: Callable[[Document], list[Any]]) -> None:
        lines = self.printed(SON_LA_FORM, pages)
        assert lines[:7] == [
            "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM",
            "Độc lập - Tự do - Hạnh phúc",
            "PHIẾU ĐĂNG KÝ THAM GIA ĐỐI THOẠI",
            "Kính gửi: Lãnh đạo Sở Khoa học và Công nghệ.",
            "Họ và tên:…",
            "Nơi thường trú:…",
            "Điện thoại liên hệ:…",
        ]
        assert squeezed(SON_LA_FORM.intro) in squeezed("".join(lines[7:10]))
        expected = [line for section in SON_LA_FORM.sections for line in (section.heading, "…", "…", "…")]
        assert lines[10:-2] == expected
        assert [squeezed(line) for line in lines[-2:]] == ["SơnLa,ngàythángnăm2022", "NGƯỜIĐĂNGKÝ"]
        assert not any("mail" in line.lower() for line in lines)

    def test_bac_kan(self, pages: Callable[[Document], list[Any]]) -> None:
        lines = self.printed(BAC_KAN_FORM, pages)
        assert squeezed(lines[2]) == "BắcKạn,ngàytháng11năm2021"
        assert lines[3:11] == [
            "PHIẾU ĐĂNG KÝ THAM GIA ĐỐI THOẠI",
            "Về thủ tục hành chính, giải quyết thủ tục hành chính",
            "lĩnh vực khoa học và công nghệ năm 2021",
            "Kính gửi: Sở Khoa học và Công nghệ tỉnh Bắc Kạn",
            "Họ và tên:…",
            "Điện thoại:…",
            "Địa chỉ:…",
            "Email:…",
        ]
        assert lines[13:-1] == [
            "1. Về thủ tục hành chính:",
            *["…"] * 11,
            "2. Về giải quyết thủ tục hành chính",
            *["…"] * 9,
        ]
        assert lines[-1] == BAC_KAN_FORM.note
        assert "NGƯỜI ĐĂNG KÝ" not in lines


class TestTextIsOnlyText:
    def test_markup_prints_literally_everywhere(self, pages: Callable[[Document], list[Any]]) -> None:
        documents: list[Document] = [
            invitation(invitees=HOSTILE, venue=HOSTILE, notes=(HOSTILE,), watermark="#x"),
            notice(subject=HOSTILE, opening=(HOSTILE,)),
            letter(summary=HOSTILE, paragraphs=(HOSTILE, "hết")),
            slip(questions=(SlipQuestion(section=HOSTILE, text=HOSTILE),), confirm=HOSTILE),
            receipt(registrant=HOSTILE, received_by=HOSTILE),
            plain_letter(paragraphs=(HOSTILE,), salutation=HOSTILE),
            SON_LA_FORM.model_copy(update={"intro": HOSTILE, "note": HOSTILE}),
        ]
        for document in documents:
            assert squeezed(HOSTILE) in squeezed(text_of(pages(document))), type(document).__name__

    @settings(max_examples=40)
    @given(
        st.text(
            st.sampled_from("#$@\\*_`<>[]{}~-/=+'\"&%^|:;.,!?()0aăâđêôơưậễỗợữỲẨ \n\t\r\x00\x1b\u202e\u2028\ufeff"),
            min_size=1,
            max_size=120,
        )
    )
    def test_any_text_comes_back_as_typed(self, text: str) -> None:
        document = slip(questions=(SlipQuestion(section="Mục", text=text),))
        printed = text_of(pdfplumber.open(io.BytesIO(render_pdf(document, font_dir()))).pages)
        between = squeezed(printed).split("1.Mục")[1].split("Xácnhậnthamdự")[0]
        assert between == squeezed(document.questions[0].text)

    def test_a_word_wider_than_the_page_breaks(self, pages: Callable[[Document], list[Any]]) -> None:
        word = "W" * 500
        page = pages(letter(paragraphs=(word, f"https://example.example/{'duong-dan/' * 30}", "hết")))[0]
        assert_margins(page)
        assert word in squeezed(text_of([page]))

    def test_a_character_without_a_glyph_uses_no_other_font(self, fonts: Path) -> None:
        pdf = render_pdf(slip(name="Ông/Bà 张 😀"), fonts)
        names = {char["fontname"].split("+")[-1] for page in pdfplumber.open(io.BytesIO(pdf)).pages for char in page.chars}
        assert names <= set(FACES.values())

    @pytest.mark.parametrize(
        ("typed", "kept"),
        [
            ("a\x00b\x1bc\x7f", "abc"),
            ("một\r\nhai\rba\u2028bốn", "một\nhai\nba\nbốn"),
            ("  nhiều \t khoảng   trống ", "nhiều khoảng trống"),
            ("\u202edảo\u202c chữ\ufeff", "dảo chữ"),
            ("Nguye\u0302\u0303n", "Nguyễn"),
            ("\ud800x", "x"),
        ],
    )
    def test_cleaning(self, typed: str, kept: str) -> None:
        assert clean_text(typed) == kept
        assert clean_line(typed) == kept.replace("\n", " ")


class TestFailures:
    def test_missing_fonts_are_an_error(self, tmp_path: Path, fonts: Path) -> None:
        with pytest.raises(FontsMissing):
            render_pdf(slip(), tmp_path)
        for font in fonts.glob("*.ttf"):
            if "BoldItalic" not in font.name:
                (tmp_path / font.name).write_bytes(font.read_bytes())
        with pytest.raises(FontsMissing, match="italic 700"):
            render_pdf(slip(), tmp_path)

    def test_errors_do_not_repeat_the_input(self) -> None:
        with pytest.raises(ValidationError) as caught:
            slip(order="Nguyễn Thị Mẫu")
        assert "Nguyễn" not in str(caught.value)

    def test_many_threads_render_their_own_document(self, fonts: Path) -> None:
        orders = range(100, 132)
        with ThreadPoolExecutor(4) as pool:
            pdfs = list(pool.map(lambda order: render_pdf(slip(order=order), fonts), orders))
        for order, pdf in zip(orders, pdfs, strict=True):
            assert str(order) in read(pdf).pages[0].extract_text()
