"""A text finds its unit (D5); complaints and denunciations are sealed, questions about them are not (D6)."""

import ast
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.agency import Agency, load_agencies
from kit.text import without_accents
from services.routing import classification
from services.routing.classification import classify, looks_sealed

AGENCIES = load_agencies(Path(__file__).parents[2] / "agencies")
SON_LA, BAC_KAN = AGENCIES["son-la"], AGENCIES["bac-kan"]
EVERY_AGENCY = pytest.mark.parametrize("agency", AGENCIES.values(), ids=AGENCIES.keys())


# The four fields of 001, with and without accents

BAC_KAN_TEXTS = [
    ("Hồ sơ đăng ký hoạt động khoa học và công nghệ cần những giấy tờ gì?", "quan-ly-khoa-hoc", "hoat-dong-khcn"),
    ("Thu tuc dang ky tham gia tuyen chon nhiem vu khoa hoc va cong nghe cap tinh", "quan-ly-khoa-hoc", "hoat-dong-khcn"),
    ("Chi phí nghiệm thu đề tài cấp cơ sở do ai chi trả?", "quan-ly-khoa-hoc", "hoat-dong-khcn"),
    ("Hợp tác xã muốn đăng ký chuyển giao công nghệ sấy miến dong", "quan-ly-khoa-hoc", "hoat-dong-khcn"),
    ("Phòng khám xin cấp phép sử dụng máy X-quang răng", "quan-ly-cong-nghe", "an-toan-buc-xa"),
    ("xin cap giay phep tien hanh cong viec buc xa cho may x quang", "quan-ly-cong-nghe", "an-toan-buc-xa"),
    ("Chứng chỉ nhân viên bức xạ hết hạn thì gia hạn ở đâu?", "quan-ly-cong-nghe", "an-toan-buc-xa"),
    ("Thời gian cấp văn bằng bảo hộ nhãn hiệu tập thể quá dài", "quan-ly-cong-nghe", "so-huu-tri-tue"),
    ("ho tro dang ky nhan hieu cho mien dong", "quan-ly-cong-nghe", "so-huu-tri-tue"),
    ("Làm sao tra cứu SÁNG CHẾ đã được bảo hộ?", "quan-ly-cong-nghe", "so-huu-tri-tue"),
    ("Kiểm định cột đo xăng dầu chậm so với hẹn", "tieu-chuan-do-luong", "tieu-chuan-do-luong"),
    ("thu tuc cong bo hop quy gach khong nung", "tieu-chuan-do-luong", "tieu-chuan-do-luong"),
    ("Đăng ký mã số mã vạch cho sản phẩm chè", "tieu-chuan-do-luong", "tieu-chuan-do-luong"),
]


@pytest.mark.parametrize(("text", "unit", "field"), BAC_KAN_TEXTS)
def test_the_text_decides_among_the_four_fields_of_bac_kan(text: str, unit: str, field: str) -> None:
    proposal = classify(None, text, BAC_KAN.classification)
    assert (proposal.unit, proposal.field) == (unit, field)
    assert proposal.confidence >= BAC_KAN.classification.threshold
    assert proposal.phrases


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Đề nghị Sở Khoa học và Công nghệ trả kết quả đúng hẹn",
        "Giấy chứng nhận quyền sử dụng đất của gia đình chưa được cấp",
        "Tôi muốn biết tiêu chuẩn để được hỗ trợ",  # one hint is not enough
        "Đăng ký nhãn hiệu và công bố hợp quy",  # two units, equally strong
        "do lượng hồ sơ nhiều, cuối tháng họp quý, chuyển sang chế độ một cửa",  # read alike without accents
    ],
)
def test_what_no_rule_decides_with_confidence_goes_to_triage(text: str) -> None:
    proposal = classify(None, text, BAC_KAN.classification)
    assert proposal.unit is None
    assert proposal.field is None
    assert proposal.confidence < BAC_KAN.classification.threshold


@pytest.mark.parametrize(
    ("no", "unit"),
    [(1, "quan-ly-khoa-hoc"), (2, "quan-ly-cong-nghe"), (3, "tieu-chuan-do-luong"), (4, "thong-tin-ung-dung"), (5, None)],
)
def test_son_las_sections_give_the_default_and_the_fifth_goes_to_triage(no: int, unit: str | None) -> None:
    proposal = classify(SON_LA.form.section(no).unit, "Xin Sở hướng dẫn thêm.", SON_LA.classification)
    assert proposal.unit == unit
    assert proposal.field == unit


def test_the_text_can_say_otherwise_than_the_section() -> None:
    proposal = classify("quan-ly-khoa-hoc", "Xin hỏi kiểm định phương tiện đo tại chợ", SON_LA.classification)
    assert proposal.unit == "tieu-chuan-do-luong"
    assert proposal.reason == "Nội dung có “kiểm định phương tiện đo”, khác với mục đã chọn trên phiếu."


def test_a_weaker_contradiction_goes_to_triage_and_agreement_is_surer_than_silence() -> None:
    rules = SON_LA.classification
    assert classify("quan-ly-khoa-hoc", "thương hiệu", rules).unit is None
    silent = classify("tieu-chuan-do-luong", "Xin hướng dẫn", rules)
    agreed = classify("tieu-chuan-do-luong", "Xin hướng dẫn công bố hợp chuẩn", rules)
    assert silent.unit == agreed.unit == "tieu-chuan-do-luong"
    assert agreed.confidence > silent.confidence


def test_the_confidence_is_the_share_of_the_best_against_all_and_the_doubt() -> None:
    rules = BAC_KAN.classification
    assert (rules.doubt, rules.section_weight) == (1, 2.5)
    assert classify(None, "đo lường", rules).confidence == pytest.approx(4 / 5)
    assert classify(None, "đo lường, đo lường và đo lường", rules).confidence == pytest.approx(4 / 5)
    assert classify(None, "nhãn hiệu, đo lường", rules).confidence == pytest.approx(5 / 10)
    assert classify("thanh-tra", "", rules).confidence == pytest.approx(2.5 / 3.5)


def test_a_longer_phrase_uses_up_its_words() -> None:
    assert classify(None, "công bố hợp quy", BAC_KAN.classification).phrases == ("công bố hợp quy",)
    assert classify(None, "Sở Khoa học và Công nghệ", BAC_KAN.classification).phrases == ()


def test_a_phrase_is_whole_words() -> None:
    assert classify(None, "logos, mã vạchx", BAC_KAN.classification).phrases == ()


@EVERY_AGENCY
def test_every_field_has_fifteen_phrases_and_each_finds_it(agency: Agency) -> None:
    for field in agency.classification.fields:
        assert len(field.phrases) >= 15
        for phrase in field.phrases:
            assert phrase in classify(None, phrase, agency.classification).phrases


WORDS = sorted(
    {phrase for agency in AGENCIES.values() for field in agency.classification.fields for phrase in field.phrases}
    | {"Xin hỏi", "thủ tục", "KHIẾU NẠI", "tố cáo", "ở đâu", "của tôi", "yếu", "cao", "do lượng", ",", ".", "\n", "Đ", "ð"}
)
TEXTS = st.one_of(
    st.text(), st.lists(st.sampled_from(WORDS)).map(" ".join), st.lists(st.sampled_from(WORDS) | st.text(max_size=5)).map("".join)
)


@given(text=TEXTS, agency=st.sampled_from(list(AGENCIES.values())), section=st.integers(0, 5))
def test_classification_always_gives_a_unit_of_the_agency_or_triage(text: str, agency: Agency, section: int) -> None:
    default = next((s.unit for s in agency.form.sections if s.no == section), None)
    proposal = classify(default, text, agency.classification)
    assert proposal.unit is None or agency.unit(proposal.unit)
    assert 0 <= proposal.confidence < 1
    assert (proposal.unit is not None) == (proposal.confidence >= agency.classification.threshold)
    assert proposal.reason


@given(text=TEXTS, agency=st.sampled_from(list(AGENCIES.values())))
def test_accents_change_nothing_for_classification(text: str, agency: Agency) -> None:
    assert classify(None, text, agency.classification) == classify(None, without_accents(text), agency.classification)


@given(st.text())
def test_taking_accents_away_twice_changes_nothing(text: str) -> None:
    assert without_accents(without_accents(text)) == without_accents(text)


def test_accents_are_taken_away_in_every_spelling() -> None:
    assert without_accents("ĐO LƯỜNG") == without_accents("Đo lu\u031bo\u031b\u0300ng") == "do luong"


# D6

SEALED = [
    ("Tôi khiếu nại quyết định xử phạt số 12/QĐ-XPHC của Sở.", "complaint"),
    ("Toi khieu nai viec tra ho so cham", "complaint"),
    ("Đơn khiếu nại của tôi gửi từ tháng 3 chưa được giải quyết", "complaint"),
    ("Thủ tục cấp phép quá lâu, tôi khiếu nại", "complaint"),
    ("Hồ sơ khiếu nại của tôi để đâu", "complaint"),
    ("Thời hạn giải quyết khiếu nại đã qua mà không trả lời", "complaint"),
    ("Chúng tôi không đồng ý với quyết định xử phạt", "complaint"),
    ("Tôi tố cáo ông A nhận tiền của doanh nghiệp", "denunciation"),
    ("to cao ong A nhan tien", "denunciation"),
    ("TO CAO CAN BO DOI HOI LO", "denunciation"),
    ("Xin hỏi thủ tục khiếu nại như thế nào. Ngoài ra tôi tố cáo bà B.", "denunciation"),
    ("Tôi khiếu nại và tố cáo cán bộ tiếp nhận", "denunciation"),
    ("Tôi tố cáo cán bộ X thì gửi ở đâu", "denunciation"),
    ("Có hiện tượng vòi vĩnh khi nộp hồ sơ", "denunciation"),
    ("Trái quy định, tố cáo để Sở xử lý", "denunciation"),
]


@EVERY_AGENCY
@pytest.mark.parametrize(("text", "kind"), SEALED)
def test_a_complaint_or_denunciation_is_sealed(agency: Agency, text: str, kind: str) -> None:
    flag = looks_sealed(text, agency.seal)
    assert flag is not None
    assert flag.kind == kind
    assert flag.phrases


ASKED = [
    "Thủ tục khiếu nại như thế nào?",
    "quy trình giải quyết khiếu nại",
    "Quy trình tiếp nhận và giải quyết khiếu nại, tố cáo gồm mấy bước",
    "thu tuc khieu nai nhu the nao",
    "Muốn khiếu nại thì nộp đơn ở đâu?",
    "muon to cao thi gui den dau",
    "Xin mẫu đơn khiếu nại",
    "Luật Tố cáo quy định thời hạn trả lời là bao nhiêu ngày?",
    "Thời hiệu khiếu nại là bao lâu",
]


@EVERY_AGENCY
@pytest.mark.parametrize("text", ASKED)
def test_asking_about_the_procedure_is_not_a_complaint(agency: Agency, text: str) -> None:
    assert looks_sealed(text, agency.seal) is None


@EVERY_AGENCY
@pytest.mark.parametrize(
    "text",
    [
        "",
        "Yếu tố cao nhất ảnh hưởng đến năng suất là giống",
        "cac yeu to cao nhat anh huong den nang suat",
        "Nhân tố cáoi",
        "Đề nghị xây nhà kho to cao hơn để chứa mẫu",
        "Phòng, chống tham nhũng được tuyên truyền thường xuyên",
        "Hồ sơ đăng ký nhãn hiệu gửi ở đâu?",
    ],
)
def test_what_only_reads_alike_is_not_sealed(agency: Agency, text: str) -> None:
    assert looks_sealed(text, agency.seal) is None


@pytest.mark.parametrize(("text", "kind"), SEALED)
def test_what_is_sealed_with_accents_is_sealed_without(text: str, kind: str) -> None:
    flag = looks_sealed(without_accents(text), BAC_KAN.seal)
    assert flag is not None
    assert flag.kind == kind


@given(text=TEXTS, agency=st.sampled_from(list(AGENCIES.values())))
def test_sealing_never_raises_and_quotes_only_the_profile(text: str, agency: Agency) -> None:
    flag = looks_sealed(text, agency.seal)
    if flag:
        assert set(flag.phrases) <= {*agency.seal.complaint, *agency.seal.denunciation}


def test_nothing_is_sealed_or_proposed_by_what_the_person_wrote_alone() -> None:
    """The reasons are shown and stored: they hold phrases of the profile, never the person's words."""
    text = "Nguyễn Văn Riêng, 0912345678: tố cáo ông Bí Mật về nhãn hiệu"
    flag = looks_sealed(text, SON_LA.seal)
    assert flag is not None
    for reason in (flag.reason, classify(None, text, SON_LA.classification).reason):
        assert not {"Riêng", "0912345678", "Bí", "Mật"} & set(reason.split())


def test_the_module_imports_nothing_that_reads_or_writes() -> None:
    tree = ast.parse(Path(classification.__file__).read_text(encoding="utf-8"))
    at_run_time = {node.module for node in tree.body if isinstance(node, ast.ImportFrom)} | {
        name.name for node in tree.body if isinstance(node, ast.Import) for name in node.names
    }
    assert at_run_time <= set(sys.stdlib_module_names) | {"collections.abc", "kit.text"}
    assert not at_run_time & {"io", "os", "pathlib", "socket", "asyncio", "time", "datetime"}


@pytest.mark.timeout(5)
def test_the_longest_text_is_read_in_a_moment() -> None:
    """10,000 characters made to hurt: looking back and ahead from every term must not read the whole text again."""
    assert looks_sealed("thủ tục " + "về " * 2000 + "khiếu nại " * 400, BAC_KAN.seal) is not None
    assert classify(None, "tiêu chuẩn đo lường chất " * 400, BAC_KAN.classification).unit == "tieu-chuan-do-luong"
