"""What the pages of mails say, in words. Pure."""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from kit.clock import TZ, format_moment_long
from kit.feedback import UNSURE
from kit.web.forms import LONGEST_TEXT
from services.intake.mailbox.domain import Automatic, State, is_filled, is_machines

STATES: Mapping[State, tuple[str, str]] = {
    State.WAITING: ("Chờ ghi nhận", "warning"),
    State.AUTOMATIC: ("Thư tự động", "neutral"),
    State.REGISTERED: ("Đã ghi nhận", "good"),
    State.DISMISSED: ("Không ghi nhận", "neutral"),
}
AUTOMATIC: Mapping[Automatic, str] = {
    Automatic.AUTO_SUBMITTED: "trả lời tự động",
    Automatic.BULK: "thư gửi hàng loạt",
    Automatic.LIST: "đến qua danh sách gửi chung",
    Automatic.NEWSLETTER: "bản tin, thư quảng bá",
    Automatic.REPORT: "báo cáo gửi, nhận thư của máy chủ",
    Automatic.NULL_SENDER: "thư báo của máy chủ thư",
    Automatic.OUR_OWN: "thư từ chính hộp thư của Sở",
}
LISTS: Mapping[str, tuple[str, tuple[State, ...]]] = {
    "cho": ("Chờ ghi nhận", (State.WAITING,)),
    "da-xong": ("Đã giải quyết", (State.REGISTERED, State.DISMISSED)),
    "tu-dong": ("Thư tự động", (State.AUTOMATIC,)),
}
ACTS: Mapping[str, str] = {
    "registered": "Đã ghi nhận phiếu",
    "registered_as_feedback": "Đã ghi nhận phản ánh, kiến nghị",
    "dismissed": "Không ghi nhận",
    "reopened": "Đưa lại vào danh sách chờ",
    "form_added": "Thêm một phiếu",
}
_UNITS = (("MB", 1024 * 1024), ("KB", 1024))
NOT_READ = "Hệ thống không đọc được mục này; xin xem thư bên cạnh."
FROM_SENDER = "Lấy từ địa chỉ người gửi thư."


def size(count: int) -> str:
    """2,4 MB."""
    for unit, of in _UNITS:
        if count >= of:
            return f"{count / of:.1f} {unit}".replace(".", ",")
    return f"{count} byte"


def who(mail: Mapping[str, Any]) -> str:
    """Name and address of the sender, as far as the mail says."""
    return (
        " ".join(filter(None, (mail["sender_name"], f"<{mail['sender']}>" if mail["sender"] else ""))) or "(không rõ người gửi)"
    )


def subject(mail: Mapping[str, Any]) -> str:
    """The subject, or that there is none; of a mail whose content was removed in time, that."""
    if mail.get("emptied_at"):
        return "(nội dung thư đã xóa theo thời hạn lưu)"
    return mail["subject"] or "(không có tiêu đề)"


def written_at(mail: Mapping[str, Any]) -> str:
    """When the sender's program says that it was written, in words where that can be told."""
    try:
        return format_moment_long(parsedate_to_datetime(mail["date"]).astimezone(TZ))
    except (ValueError, TypeError, OverflowError):
        return str(mail["date"])


def read_forms(mail: Mapping[str, Any]) -> int:
    """How many forms were read in it."""
    return sum(bool(form.get("fields") or form.get("sections")) for form in mail["forms"])


def filled_forms(mail: Mapping[str, Any]) -> int:
    """How many of them ask something."""
    return sum(is_filled(form) for form in mail["forms"])


def values(form: Mapping[str, Any], mail: Mapping[str, Any]) -> dict[str, str]:
    """Field → what was read of it; the address that a receipt goes to is the sender's, unless the form names one."""
    read = {**form["fields"], **{f"sections.{no}": text for no, text in form["sections"].items()}}
    return {"email": _writer(mail)} | read


def feedback_values(form: Mapping[str, Any], mail: Mapping[str, Any]) -> dict[str, str]:
    """The same for feedback: its text is what was filled into a form's sections, else the mail's own, as far as there is room."""
    read: dict[str, str] = {"name": mail["sender_name"], "email": _writer(mail)} | form["fields"]
    return read | {"text": _all_text(form, mail)[:LONGEST_TEXT], "group": UNSURE}


def is_too_long(form: Mapping[str, Any], mail: Mapping[str, Any]) -> bool:
    """Whether the text of feedback would not hold all that was written."""
    return len(_all_text(form, mail)) > LONGEST_TEXT


def _all_text(form: Mapping[str, Any], mail: Mapping[str, Any]) -> str:
    return "\n\n".join(form["sections"].values()) or mail["text"].strip()


def _writer(mail: Mapping[str, Any]) -> str:
    """The sender's address, if it is a person's: nothing is to be written to a machine."""
    return "" if is_machines(mail.get("automatic")) else str(mail["sender"])


def case_page(agency: str, form: Mapping[str, Any]) -> str:
    """Address of the counter's page of what a form has become."""
    return f"/{agency}/tiep-nhan/{'phan-anh/' if form.get('feedback') else ''}{form['registration']}"


def became(form: Mapping[str, Any]) -> str:
    """What that is, in words."""
    return "phản ánh, kiến nghị" if form.get("feedback") else "phiếu"


def hints(form: Mapping[str, Any], mail: Mapping[str, Any]) -> dict[str, str]:
    """Field → what the office should know about its value."""
    found = dict.fromkeys(form["unread"], NOT_READ)
    if _writer(mail) and "email" not in form["fields"]:
        found["email"] = FROM_SENDER
    return found
