"""Profiles of agencies: the forms word for word (D2), the rules with their sources, and wrong files with their lines."""

import re
from datetime import UTC, date, datetime, time, timedelta, timezone
from pathlib import Path

import pytest
from pydantic import ValidationError

from kit.agency import Agency, load_agencies
from kit.errors import NotFound
from kit.samples import load_sample
from kit.yamlfile import BadFile

DIRECTORY = Path(__file__).parents[2] / "agencies"
AGENCIES = load_agencies(DIRECTORY)
SON_LA, BAC_KAN = AGENCIES["son-la"], AGENCIES["bac-kan"]
EVERY_AGENCY = pytest.mark.parametrize("agency", AGENCIES.values(), ids=AGENCIES.keys())
VIET_NAM = timezone(timedelta(hours=7))

# The blanks of source documents 000 and 001, transcribed; lines of dots left out, "Họ về tên" in 001 read as "Họ và tên".
SON_LA_BLANK = """\
CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM
Độc lập - Tự do - Hạnh phúc
PHIẾU ĐĂNG KÝ THAM GIA ĐỐI THOẠI
Kính gửi: Lãnh đạo Sở Khoa học và Công nghệ.
Họ và tên:
Nơi thường trú:
Điện thoại liên hệ:
Đăng ký tham gia Hội nghị đối thoại trực tiếp với tổ chức, công dân về thủ tục hành chính và \
giải quyết thủ tục hành chính thuộc phạm vi, chức năng quản lý nhà nước của Sở Khoa học và Công nghệ năm 2022 như sau:
1. Về lĩnh vực quản lý khoa học:
2. Về lĩnh vực quản lý công nghệ và chuyên ngành:
3. Về lĩnh vực tiêu chuẩn đo lường chất lượng:
4. Về lĩnh vực thông tin ứng dụng khoa học công nghệ:
5. Về lĩnh vực khác thuộc thẩm quyền của Sở Khoa học và Công nghệ:
Sơn La, ngày tháng năm 2022
NGƯỜI ĐĂNG KÝ
"""
BAC_KAN_BLANK = """\
CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM
Độc lập - Tự do - Hạnh phúc
Bắc Kạn, ngày tháng 11 năm 2021
PHIẾU ĐĂNG KÝ THAM GIA ĐỐI THOẠI
Về thủ tục hành chính, giải quyết thủ tục hành chính lĩnh vực khoa học và công nghệ năm 2021
Kính gửi: Sở Khoa học và Công nghệ tỉnh Bắc Kạn
Họ và tên:
Điện thoại:
Địa chỉ:
Email:
Đăng ký tham gia Hội nghị đối thoại trực tiếp với Lãnh đạo Sở Khoa học và Công nghệ như sau:
1. Về thủ tục hành chính:
2. Về giải quyết thủ tục hành chính
* Ghi chú đối với tổ chức, doanh nghiệp: Viết tên người đại diện và tên tổ chức, doanh nghiệp
"""


def blank(agency: Agency, *, year: int, month: int) -> list[str]:
    """The printed form from the profile, line by line, without the dots."""
    form = agency.form
    blocks: dict[str, list[str | None]] = {
        "national_title": ["CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM", "Độc lập - Tự do - Hạnh phúc"],
        "place_date": [form.place_date],
        "title": [form.title],
        "subtitle": [form.subtitle],
        "addressee": [form.addressee],
        "fields": [*(field.label for field in form.fields)],
        "intro": [form.intro],
        "sections": [*(f"{section.no}. {section.label}" for section in form.sections)],
        "note": [form.note],
        "signature": [form.signature],
    }
    lines = [line for block in form.layout for line in blocks[block]]
    return [comparable(form.printed(line or "", year=year, month=month, blank="")) for line in lines]


def comparable(line: str) -> str:
    """Spaces and the colon at the end are the printer's: 001 itself prints one section with and one without."""
    return re.sub(r"\s+", " ", line).strip().removesuffix(":")


@pytest.mark.parametrize(
    ("agency", "text", "year", "month"),
    [(SON_LA, SON_LA_BLANK, 2022, 5), (BAC_KAN, BAC_KAN_BLANK, 2021, 11)],
    ids=["son-la", "bac-kan"],
)
def test_the_printed_blank_is_the_source_documents(agency: Agency, text: str, year: int, month: int) -> None:
    assert blank(agency, year=year, month=month) == [comparable(line) for line in text.splitlines()]


def test_what_the_web_form_adds_is_not_on_the_blank_and_never_required() -> None:
    assert [field.key for field in SON_LA.form.fields] == ["name", "address", "phone"]
    assert [field.key for field in SON_LA.form.web_fields] == ["email", "kind", "organisation", "preferred_way"]
    assert [field.key for field in BAC_KAN.form.web_fields] == ["kind", "organisation", "preferred_way"]
    for agency in AGENCIES.values():
        assert [field.key for field in agency.form.fields if field.required] == ["name"]


def test_the_deadlines_of_000_bind_son_la() -> None:
    deadlines = SON_LA.deadlines
    assert (deadlines.unit_answer.days, deadlines.unit_answer.counting, deadlines.unit_answer.source) == (
        3,
        "calendar",
        "000 III.3",
    )
    assert (deadlines.conclusion.days, deadlines.conclusion.counting, deadlines.conclusion.source) == (5, "working", "000 4.3")
    report = deadlines.report_before_meeting
    assert (report.enabled, report.days, report.counting, report.source) == (True, 5, "working", "000 4.1")
    assert SON_LA.assign_by.value == "leadership"
    assert SON_LA.report_parts_before_day.value == 12


def test_bac_kan_takes_nothing_from_son_las_documents() -> None:
    assert BAC_KAN.deadlines.report_before_meeting.enabled is False
    assert BAC_KAN.assign_by.value == "office"
    assert BAC_KAN.report_parts_before_day.value is None
    assert not [source for source in sources(BAC_KAN.model_dump()) if source.startswith(("000", "003"))]
    assert not [source for source in sources(SON_LA.model_dump()) if source.startswith("001")]


def sources(data: object) -> list[str]:
    if isinstance(data, dict):
        own = [data["source"]] if "source" in data else []
        return own + [source for value in data.values() for source in sources(value)]
    if isinstance(data, list | tuple):
        return [source for value in data for source in sources(value)]
    return []


@EVERY_AGENCY
def test_units_that_no_document_names_are_marked_assumed(agency: Agency) -> None:
    for unit in agency.units:
        assert unit.assumed == unit.source.startswith("giả định")


@EVERY_AGENCY
def test_samples_reach_nobody(agency: Agency) -> None:
    addresses = [agency.contacts.email, *(unit.email for unit in agency.units)]
    assert all(address.endswith(".example") for address in addresses)
    assert agency.contacts.website.endswith(".example")
    assert agency.watermark.value == "BẢN MẪU"
    assert agency.require_signed_file.value is False


def test_recipients_are_printed_by_medium_where_there_are_both() -> None:
    assert SON_LA.documents.plan.recipient_lines == (
        "- UBND tỉnh (b/c);",
        "- Sở Nội vụ (b/c);",
        "- Tập thể lãnh đạo Sở (chỉ đạo);",
        "- Phòng chuyên môn Sở/Thanh tra Sở (t/hiện);",
        "- Các đơn vị trực thuộc Sở (t/hiện);",
        "- Trang thông tin điện tử Sở (tuyên truyền);",
        "- Lưu: VT, VP.",
    )
    lines = BAC_KAN.documents.plan.recipient_lines
    assert (lines[0], lines[9], lines[-1]) == ("Gửi bản điện tử:", "Gửi bản giấy:", "- Lưu: VT, VP.")
    assert lines[10] == "- Hiệp hội Doanh nghiệp tỉnh;"


def test_names_look_up_and_letterhead() -> None:
    assert SON_LA.name_upper == "SỞ KHOA HỌC VÀ CÔNG NGHỆ"
    assert SON_LA.superior_upper == "UBND TỈNH SƠN LA"
    assert SON_LA.office.code == "van-phong"
    assert SON_LA.unit("thanh-tra").name == "Thanh tra Sở"
    assert SON_LA.law("luat-91-2025").number == "91/2025/QH15"
    assert SON_LA.office_hours.opening == time(7, 30)
    for missing in (SON_LA.unit, SON_LA.signer, SON_LA.law):
        with pytest.raises(NotFound):
            missing("khong-co")
    with pytest.raises(NotFound):
        SON_LA.form.section(6)


def test_a_unit_and_a_law_hold_between_their_days() -> None:
    unit = SON_LA.office.model_copy(update={"valid_from": date(2022, 1, 1), "valid_until": date(2022, 12, 31)})
    days = [date(2021, 12, 31), date(2022, 1, 1), date(2022, 12, 31), date(2023, 1, 1)]
    assert [unit.is_valid_on(day) for day in days] == [False, True, True, False]
    assert SON_LA.model_copy(update={"units": (unit,)}).units_on(days[0]) == ()
    law = SON_LA.law("luat-91-2025")
    assert [law.is_in_force_on(day) for day in (date(2025, 12, 31), date(2026, 1, 1))] == [False, True]


def test_a_profile_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        SON_LA.code = "khac"  # type: ignore[misc]


# Samples: the source documents' own dates (D1)


def test_bac_kans_dialogue_has_its_named_moments() -> None:
    (dialogue,) = load_sample(DIRECTORY, BAC_KAN).dialogues
    assert dialogue.closes_at == datetime(2021, 11, 20, 17, 30, tzinfo=VIET_NAM)
    assert dialogue.invitations_due == date(2021, 11, 21)
    assert dialogue.starts_at == datetime(2021, 11, 26, 7, 0, tzinfo=UTC)


def test_son_las_dialogues_are_announced_for_calendar_quarters_without_a_date() -> None:
    sample = load_sample(DIRECTORY, SON_LA)
    windows = [(dialogue.window_from, dialogue.window_to) for dialogue in sample.dialogues]
    assert windows == [(date(2022, 4, 1), date(2022, 6, 30)), (date(2022, 10, 1), date(2022, 12, 31))]
    assert all(dialogue.starts_at is None and dialogue.closes_at is None for dialogue in sample.dialogues)
    assert sample.plan.year == 2022


@EVERY_AGENCY
def test_a_sample_plan_has_a_whole_number(agency: Agency) -> None:
    number, _, symbol = load_sample(DIRECTORY, agency).plan.number.partition("/")
    assert number.isdecimal()
    assert symbol == agency.documents.plan.symbol


@EVERY_AGENCY
def test_the_sample_staff_can_do_the_whole_job(agency: Agency) -> None:
    staff = load_sample(DIRECTORY, agency).staff
    usernames = [account.username for account in staff]
    assert len(set(usernames)) == len(usernames)
    for role in ("officer", "head"):
        assert {account.unit for account in staff if role in account.roles} == {unit.code for unit in agency.units}
    for role in ("office", "leadership", "control", "administrator"):
        assert [account for account in staff if role in account.roles]
    readers = [account for account in staff if account.permissions]
    assert {(*account.roles, account.unit) for account in readers} == {("office", None), ("head", "thanh-tra")}


# Wrong files

GOOD = (DIRECTORY / "son-la.yaml").read_text(encoding="utf-8")


def faults(tmp_path: Path, text: str, name: str = "son-la.yaml") -> tuple[str, ...]:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(BadFile) as error:
        load_agencies(tmp_path)
    return tuple(fault.removeprefix(f"{tmp_path}/") for fault in error.value.faults)


def changed(old: str, new: str) -> tuple[str, int]:
    """The good profile with one place changed, and the line of that place, from 1."""
    assert GOOD.count(old) == 1, old
    return GOOD.replace(old, new), GOOD[: GOOD.index(old)].count("\n") + 1


@pytest.mark.parametrize(
    ("old", "new", "field", "message"),
    [
        ("  - code: thanh-tra\n", "  - code: Thanh Tra\n", "units[1].code", "String should match pattern"),
        ("place: Sơn La\n", "plaace: Sơn La\n", "plaace", "Extra inputs are not permitted"),
        (
            'unit: thong-tin-ung-dung\n      source: "000 mẫu phiếu;',
            'unit: phong-la\n      source: "000;',
            "form.sections[3].unit",
            "no unit has the code phong-la",
        ),
        ("{value: van-phong,", "{value: phong-la,", "control_unit.value", "no unit has the code phong-la"),
        ("signer: chanh-van-phong-tl\n", "signer: ai-do\n", "documents.conclusion.signer", "no signer has the code ai-do"),
        (
            "  laws: [luat-91-2025, nd-356-2025]",
            "  laws: [luat-91-2025, nd-13-2023]",
            "privacy.laws[1]",
            "no law has the code nd-13-2023",
        ),
        ("  layout: [national_title, title,", "  layout: [title,", "form.layout", "must name each of these once"),
        ("        - {value: cooperative,", "        - {value: hop-tac-xa,", "form.web_fields[1].choices[3].value", "not one of"),
        (
            "bằng độc quyền: 5",
            "bằng độc quyền: 50",
            "classification.fields[1].phrases.bằng độc quyền",
            "less than or equal to 10",
        ),
        ('  place_date: "Sơn La, ngày {blank}', '  place_date: "Sơn La, ngày {day}', "form.place_date", "only the placeholders"),
        ("{value: leadership,", "{value: giam-doc,", "assign_by.value", "Input should be 'office', 'leadership' or 'automatic'"),
    ],
)
def test_a_wrong_value_is_told_with_file_line_and_field(tmp_path: Path, old: str, new: str, field: str, message: str) -> None:
    text, line = changed(old, new)
    told = [fault for fault in faults(tmp_path, text) if fault.startswith(f"son-la.yaml:{line}: {field}: ")]
    assert len(told) == 1
    assert message in told[0]


def test_a_rule_that_is_left_out_is_refused_at_its_owner(tmp_path: Path) -> None:
    """An unset key is never another agency's value."""
    text, _ = changed('  conclusion: {days: 5, counting: working, source: "000 4.3"}\n', "")
    owner = text[: text.index("\ndeadlines:\n")].count("\n") + 2
    assert faults(tmp_path, text) == (f"son-la.yaml:{owner}: deadlines.conclusion: Field required",)


def test_every_fault_of_every_file_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "bac-kan.yaml").write_text("code: bac-kan\n", encoding="utf-8")
    text, _ = changed("  - code: thanh-tra\n", "  - code: van-phong\n")
    told = faults(tmp_path, text)
    assert "bac-kan.yaml:1: case_prefix: Field required" in told
    assert any(fault.endswith("units[1].code: van-phong is named twice") for fault in told)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("code: a\ncode: b\n", "son-la.yaml:2: not valid YAML: found duplicate key"),
        ("code: a\n  b: [\n", "son-la.yaml:2: not valid YAML: mapping values are not allowed"),
        ("", "son-la.yaml:1: (file): "),
        ("- a\n", "son-la.yaml:1: (file): "),
    ],
)
def test_a_file_that_is_no_profile_at_all(tmp_path: Path, text: str, fault: str) -> None:
    (told,) = faults(tmp_path, text)
    assert told.startswith(fault)


def test_code_and_prefix_belong_to_one_file(tmp_path: Path) -> None:
    assert faults(tmp_path, GOOD, "khac.yaml") == ("khac.yaml:1: code: must be the file's name, khac",)
    both = faults(tmp_path, GOOD)
    assert "son-la.yaml:1: case_prefix: another agency has SL" in both


def test_a_fault_never_tells_the_value_of_a_field(tmp_path: Path) -> None:
    text, _ = changed("  email: skhcn@son-la.example\n", "  email: Nguyễn Văn Riêng\n")
    assert "Riêng" not in "".join(faults(tmp_path, text))


def test_an_empty_folder_and_subfolders_are_no_agencies(tmp_path: Path) -> None:
    (tmp_path / "calendars").mkdir()
    (tmp_path / "calendars" / "vn.yaml").write_text("x: 1\n", encoding="utf-8")
    with pytest.raises(BadFile, match="holds no agency"):
        load_agencies(tmp_path)


def test_a_sample_for_an_unknown_unit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "samples").mkdir()
    text = (DIRECTORY / "samples" / "bac-kan.yaml").read_text(encoding="utf-8")
    (tmp_path / "samples" / "bac-kan.yaml").write_text(text.replace("unit: thanh-tra}", "unit: phong-la}"), encoding="utf-8")
    with pytest.raises(BadFile, match="has no unit phong-la"):
        load_sample(tmp_path, BAC_KAN)
