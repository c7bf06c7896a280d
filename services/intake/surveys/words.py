"""The Vietnamese words of the survey, the same on the page and on paper."""

from collections.abc import Mapping

from contracts.model import Criterion, SurveyWay

CRITERIA: Mapping[Criterion, tuple[str, str]] = {
    Criterion.TIME: ("Thời gian", "Việc giải quyết, trả lời đúng thời gian đã hẹn"),
    Criterion.ATTITUDE: ("Thái độ", "Công chức, viên chức lịch sự, tận tình"),
    Criterion.CLARITY: ("Mức độ rõ ràng", "Hướng dẫn, trả lời đầy đủ, dễ hiểu"),
    Criterion.RESULT: ("Kết quả", "Kết quả đáp ứng yêu cầu của Ông/Bà"),
}
"""Criterion → its name and what is asked."""

MARKS: Mapping[int, str] = {
    1: "Rất không hài lòng",
    2: "Không hài lòng",
    3: "Bình thường",
    4: "Hài lòng",
    5: "Rất hài lòng",
}

WAYS: Mapping[str, str] = {
    SurveyWay.QR: "Mã QR tại quầy",
    SurveyWay.PAPER: "Phiếu giấy tại quầy",
    SurveyWay.CASE: "Sau trả lời hoặc Hội nghị",
}

NO_NAME = "Phiếu không ghi tên. Xin không ghi họ tên, số điện thoại, địa chỉ hay thông tin riêng của ai vào phần góp ý."

UNAVAILABLE = (
    "Hệ thống tạm thời gián đoạn nên phiếu chưa được ghi nhận. Những gì Ông/Bà đã chọn vẫn còn trên trang này: "
    "xin đợi ít giây rồi bấm “Gửi đánh giá” lần nữa."
)
TOO_MANY = (
    "Trong thời gian ngắn đã có quá nhiều phiếu gửi từ cùng một nơi nên lần gửi này chưa được ghi nhận. Những gì Ông/Bà đã "
    "chọn vẫn còn trên trang này: xin đợi {wait} rồi bấm “Gửi đánh giá” lần nữa."
)


def labels() -> dict[str, str]:
    """Field → its label, for the list of what has to be put right."""
    named = {criterion.value: name for criterion, (name, _) in CRITERIA.items()}
    return named | {"text": "Góp ý thêm", "procedure": "Thủ tục hành chính", "unit": "Đơn vị", "given_on": "Ngày trên phiếu"}
