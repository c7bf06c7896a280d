"""The words that staff read on notify's pages."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from contracts.model import LetterKind, Way
from services.notify.domain import NEXT, SETTLED, Row, State

STATES: Mapping[State, str] = {
    State.PENDING: "Chờ gửi",
    State.CLAIMED: "Đang gửi",
    State.SENDING: "Đang gửi",
    State.SENT: "Đã gửi thư điện tử",
    State.DEFERRED: "Hoãn, sẽ thử lại",
    State.FAILED: "Không gửi được",
    State.UNKNOWN: "Chưa rõ đã đến hay chưa",
    State.HELD: "Tạm giữ, chờ xem xét",
    State.TO_PRINT: "Chờ in",
    State.PRINTED: "Đã in, chờ gửi bưu điện",
    State.POSTED: "Đã gửi bưu điện",
    State.TO_PHONE: "Chờ gọi điện thoại",
    State.PHONED: "Đã báo điện thoại",
    State.RETURNED: "Bị trả lại",
    State.SKIPPED: "Không gửi",
    State.WITHDRAWN: "Đã rút",
}

TONES: Mapping[State, str] = {
    State.SENT: "good",
    State.POSTED: "good",
    State.PHONED: "good",
    State.FAILED: "danger",
    State.RETURNED: "danger",
    State.UNKNOWN: "warning",
    State.HELD: "warning",
    State.DEFERRED: "warning",
    State.PENDING: "info",
    State.CLAIMED: "info",
    State.SENDING: "info",
    State.TO_PRINT: "info",
    State.PRINTED: "info",
    State.TO_PHONE: "info",
    State.SKIPPED: "neutral",
    State.WITHDRAWN: "neutral",
}

STEPS: Mapping[str, str] = {state.value: words for state, words in STATES.items()} | {"queued": "Chờ gửi"}
"""A step of the timeline has the state as other services see it."""

KINDS: Mapping[LetterKind, str] = {
    LetterKind.RECEIPT: "Báo đã tiếp nhận",
    LetterKind.LATE: "Báo phiếu đến sau hạn",
    LetterKind.ADMITTED: "Báo được bổ sung vào Hội nghị",
    LetterKind.TO_FEEDBACK: "Báo chuyển thành phản ánh, kiến nghị",
    LetterKind.INVITATION: "Giấy mời",
    LetterKind.INTERNAL_INVITATION: "Mời dự nội bộ",
    LetterKind.RESCHEDULED: "Báo đổi lịch",
    LetterKind.CANCELLED: "Báo không tổ chức",
    LetterKind.CONCLUSION: "Thông báo kết luận",
    LetterKind.ABSENT_ANSWER: "Trả lời người vắng mặt",
    LetterKind.WRITTEN_ANSWER: "Trả lời bằng văn bản",
    LetterKind.GUIDANCE: "Hướng dẫn đến cơ quan có thẩm quyền",
    LetterKind.COMPLAINT_GUIDANCE: "Trả lời phiếu đăng ký",
    LetterKind.DENUNCIATION_PASSED: "Trả lời phiếu đăng ký (gửi riêng)",
    LetterKind.NEW_QUESTION: "Báo đơn vị có nội dung mới",
    LetterKind.REMINDER: "Nhắc hạn",
    LetterKind.OVERDUE: "Báo quá hạn",
    LetterKind.EXTENDED: "Báo thời hạn mới",
    LetterKind.DATE_FIXED: "Báo ngày tổ chức",
    LetterKind.AMENDED: "Xác nhận thay đổi của phiếu",
    LetterKind.CONTACT_CHANGED: "Báo đã đổi địa chỉ thư điện tử",
    LetterKind.DATA_REQUEST: "Về yêu cầu dữ liệu cá nhân",
    LetterKind.FEEDBACK_RECEIPT: "Báo đã tiếp nhận phản ánh, kiến nghị",
    LetterKind.FEEDBACK_ASKED: "Đề nghị bổ sung thông tin",
    LetterKind.FEEDBACK_COLLECTING: "Báo tiếp tục tập hợp",
}

_ENCLOSED: Mapping[LetterKind, str] = {
    LetterKind.INVITATION: "Giấy mời",
    LetterKind.ADMITTED: "Giấy mời",
    LetterKind.RESCHEDULED: "Giấy mời",
    LetterKind.CONCLUSION: "Thông báo kết luận",
    LetterKind.ABSENT_ANSWER: "Thông báo kết luận",
}

WAYS: Mapping[str, str] = {Way.EMAIL: "Thư điện tử", Way.POST: "Bưu điện", Way.PHONE: "Điện thoại"}

GROUPS: Mapping[str, tuple[str, Sequence[State]]] = {
    "cho-gui": ("Chờ gửi", (State.PENDING, State.CLAIMED, State.SENDING)),
    "hoan": ("Hoãn, sẽ thử lại", (State.DEFERRED,)),
    "da-gui": ("Đã gửi thư điện tử", (State.SENT,)),
    "khong-gui-duoc": ("Không gửi được", (State.FAILED,)),
    "chua-ro": ("Chưa rõ đã đến hay chưa", (State.UNKNOWN,)),
    "tam-giu": ("Tạm giữ", (State.HELD,)),
    "can-in": ("Chờ in, chờ gửi bưu điện", (State.TO_PRINT, State.PRINTED)),
    "da-gui-buu-dien": ("Đã gửi bưu điện", (State.POSTED,)),
    "can-goi": ("Chờ gọi điện thoại", (State.TO_PHONE,)),
    "da-bao": ("Đã báo điện thoại", (State.PHONED,)),
    "tra-lai": ("Bị trả lại", (State.RETURNED,)),
    "khong-gui": ("Không gửi, đã rút", (State.SKIPPED, State.WITHDRAWN)),
}
"""What the ledger can be narrowed to: the address's value → words and states."""


def acts(row: Row) -> frozenset[str]:
    """The acts that a letter's page offers now: what its state allows and its data make possible."""
    state = State(row["state"])
    following = NEXT[state]
    recipient = row.get("content", {}).get("recipient") or {}
    offered: dict[str, bool] = {
        "gui-lai": State.PENDING in following and "content" in row and row.get("way") is not None and state is not State.CLAIMED,
        "qua-buu-dien": State.TO_PRINT in following and bool(recipient.get("address", "").strip()),
        "qua-dien-thoai": State.TO_PHONE in following
        and state is not State.TO_PHONE
        and bool(recipient.get("phone", "").strip()),
        "thoi": State.SKIPPED in following and state is not State.CLAIMED,
        "da-den": state is State.UNKNOWN,
        "da-in": State.PRINTED in following,
        "da-gui": State.POSTED in following,
        "da-goi": state is State.TO_PHONE,
        "bi-tra-lai": State.RETURNED in following,
    }
    if state is State.SENDING:
        return frozenset()
    return frozenset(act for act, possible in offered.items() if possible)


def is_open(row: Row) -> bool:
    """Whether the letter can still be opened and printed."""
    return State(row["state"]) not in SETTLED and "content" in row


def timeline(row: Row) -> list[tuple[datetime, str, str]]:
    """What happened, oldest first: when, what, note."""
    return [(s["at"], STEPS[s["state"]], "") for s in row["steps"]]


def enclosed(kind: str, file_name: str) -> str:
    """What a file that goes with a letter is called; one of a letter that usually has none by its own name."""
    return _ENCLOSED.get(LetterKind(kind), file_name)


def group_options() -> list[tuple[str, str]]:
    """For the ledger's filter."""
    return [(value, words) for value, (words, _) in GROUPS.items()]


def kind_options() -> list[tuple[str, str]]:
    """For the ledger's filter."""
    return [(kind.value, words) for kind, words in KINDS.items()]
