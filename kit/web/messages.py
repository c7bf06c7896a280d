"""What was wrong with a field and what to do about it, in courteous Vietnamese. No message repeats what was typed."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import ErrorDetails, PydanticCustomError

COURTEOUS = "courteous"
"""Error type of our own validators, whose message is already for people."""

REQUIRED = "Mục này còn trống. Xin Ông/Bà điền nội dung."
CONTROL_CHARACTERS = "Nội dung có ký tự không đọc được (thường do sao chép từ tệp khác). Xin Ông/Bà xóa và gõ lại đoạn đó."

_DATE = "Ngày chưa đúng. Xin ghi ngày/tháng/năm, ví dụ 04/5/2022."
_TIME = "Giờ chưa đúng. Xin ghi giờ và phút, ví dụ 14:00."
_NUMBER = "Mục này phải là một số. Xin Ông/Bà chỉ ghi chữ số."
_CHOICE = "Lựa chọn này không có trong danh sách. Xin Ông/Bà chọn lại một mục trong danh sách."
_OTHER = "Nội dung mục này chưa đúng mẫu. Xin Ông/Bà kiểm tra và nhập lại."

_BY_TYPE = {
    "missing": REQUIRED,
    "string_too_short": "Nội dung quá ngắn. Xin Ông/Bà ghi ít nhất {min_length} ký tự.",
    "string_too_long": "Nội dung dài quá {max_length} ký tự. Xin Ông/Bà rút gọn.",
    "extra_forbidden": "Có mục không thuộc biểu mẫu này. Xin tải lại biểu mẫu và gửi lại.",
    "int_parsing": _NUMBER,
    "int_type": _NUMBER,
    "int_from_float": _NUMBER,
    "float_parsing": _NUMBER,
    "decimal_parsing": _NUMBER,
    "greater_than_equal": "Số này nhỏ quá. Xin ghi từ {ge} trở lên.",
    "greater_than": "Số này nhỏ quá. Xin ghi lớn hơn {gt}.",
    "less_than_equal": "Số này lớn quá. Xin ghi không quá {le}.",
    "less_than": "Số này lớn quá. Xin ghi nhỏ hơn {lt}.",
    "literal_error": _CHOICE,
    "enum": _CHOICE,
    "bool_parsing": _CHOICE,
    "uuid_parsing": "Mã này không đúng. Xin mở lại trang từ danh sách.",
    "too_long": "Nhiều quá. Xin giữ lại không quá {max_length} mục.",
    "too_short": "Chưa đủ. Xin chọn hoặc điền ít nhất {min_length} mục.",
    "json_invalid": "Nội dung gửi đến không phải JSON hợp lệ. Xin kiểm tra lại cách đóng gói dữ liệu.",
    "timezone_aware": "Thời điểm thiếu múi giờ. Xin ghi theo RFC 3339, ví dụ 2022-05-04T14:00:00+07:00.",
    **dict.fromkeys(("date_parsing", "date_type", "date_from_datetime_parsing", "datetime_parsing"), _DATE),
    **dict.fromkeys(("time_parsing", "time_type"), _TIME),
}


def courteous(message: str) -> PydanticCustomError:
    """An error for a validator to raise; `message` is a whole Vietnamese sentence that repeats no input."""
    return PydanticCustomError(COURTEOUS, "{sentence}", {"sentence": message})


def message_for(error: ErrorDetails) -> str:
    """The sentence for a Pydantic error."""
    context: Mapping[str, Any] = error.get("ctx", {})
    if error["type"] == COURTEOUS:
        return str(context["sentence"])
    template = _BY_TYPE.get(error["type"], _OTHER)
    try:
        return template.format(**context)
    except (KeyError, IndexError):
        return _OTHER


_OURS = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,39}|[0-9]{1,3}")


def place(kind: str, location: Sequence[int | str]) -> Sequence[str]:
    """Where an error of this type is, outermost first. A name that the sender made up is left out."""
    parts: list[str] = []
    for part in location[:-1] if kind == "extra_forbidden" else location:
        if not _OURS.fullmatch(str(part)):
            break
        parts.append(str(part))
    return parts
