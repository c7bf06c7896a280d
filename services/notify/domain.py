"""The rules of the ledger: one row per letter and recipient, every state with a reason (design §2.3, D9, D11).

    PENDING → CLAIMED → SENDING → SENT | DEFERRED | FAILED | UNKNOWN

A row is the ledger's document. Functions here decide on a row as it is and return the `Change` to be written with
compare-and-set; they raise `Conflict` for what the row's state does not allow. CLAIMED and SENDING are marks of a worker, made by
the store without an event; everything else is an event.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Any

from contracts.model import LetterKind, LetterState, Recipient, Way
from kit.acting import Acting
from kit.errors import Conflict
from kit.outbox import Change, step

Row = Mapping[str, Any]


class State(StrEnum):
    """Where a letter is. `SETTLED` ones are final for the content: it is removed."""

    PENDING = "pending"
    CLAIMED = "claimed"
    SENDING = "sending"
    SENT = "sent"
    DEFERRED = "deferred"
    FAILED = "failed"
    UNKNOWN = "unknown"
    HELD = "held"
    TO_PRINT = "to_print"
    PRINTED = "printed"
    POSTED = "posted"
    TO_PHONE = "to_phone"
    PHONED = "phoned"
    RETURNED = "returned"
    SKIPPED = "skipped"
    WITHDRAWN = "withdrawn"


S = State

WAITING = (S.PENDING, S.DEFERRED, S.UNKNOWN, S.CLAIMED)
"""What a worker may claim once `next_at` has come. A CLAIMED row's `next_at` is the end of its lease: its worker is dead."""

IN_FLIGHT = (S.CLAIMED, S.SENDING)
"""A worker's own: nobody else changes such a row while the lease lasts."""

UNSENT = (*WAITING, S.SENDING)
"""What would be mailed without anybody's doing."""

SETTLED = frozenset({S.SENT, S.POSTED, S.PHONED, S.RETURNED, S.SKIPPED, S.WITHDRAWN})
OPEN = tuple(s for s in S if s not in SETTLED)
FOR_STAFF = (S.FAILED, S.UNKNOWN, S.HELD, S.RETURNED)
"""What waits for somebody's decision."""

_STAFF_WAYS_OUT = frozenset({S.PENDING, S.TO_PRINT, S.TO_PHONE, S.SKIPPED, S.WITHDRAWN})

NEXT: Mapping[State, frozenset[State]] = {
    S.PENDING: frozenset({S.CLAIMED, S.HELD, S.TO_PRINT, S.SKIPPED, S.WITHDRAWN}),
    S.CLAIMED: frozenset({S.CLAIMED, S.SENDING, S.PENDING, S.DEFERRED, S.FAILED, S.HELD, S.SKIPPED}),
    S.SENDING: frozenset({S.SENT, S.DEFERRED, S.FAILED, S.HELD, S.UNKNOWN, S.PENDING}),
    S.DEFERRED: frozenset({S.CLAIMED, S.HELD}) | _STAFF_WAYS_OUT,
    S.UNKNOWN: frozenset({S.CLAIMED, S.HELD, S.SENT}) | _STAFF_WAYS_OUT,
    S.FAILED: _STAFF_WAYS_OUT,
    S.HELD: _STAFF_WAYS_OUT,
    S.TO_PRINT: frozenset({S.PRINTED, S.POSTED, S.TO_PHONE, S.SKIPPED, S.WITHDRAWN}),
    S.PRINTED: frozenset({S.POSTED, S.TO_PHONE, S.SKIPPED, S.WITHDRAWN}),
    S.TO_PHONE: frozenset({S.TO_PHONE, S.PHONED, S.TO_PRINT, S.SKIPPED, S.WITHDRAWN}),
    S.SENT: frozenset({S.RETURNED}),
    S.POSTED: frozenset({S.RETURNED}),
    S.RETURNED: frozenset({S.PHONED, S.SKIPPED}),
    S.PHONED: frozenset(),
    S.SKIPPED: frozenset(),
    S.WITHDRAWN: frozenset(),
}

RETRIED_FOR = timedelta(hours=72)
LONGEST_PAUSE = timedelta(minutes=60)

WAITS_FOR_STAFF = frozenset(
    {
        LetterKind.CONCLUSION,
        LetterKind.ABSENT_ANSWER,
        LetterKind.WRITTEN_ANSWER,
        LetterKind.GUIDANCE,
        LetterKind.COMPLAINT_GUIDANCE,
        LetterKind.DENUNCIATION_PASSED,
    }
)
"""When it is unknown whether such a letter went out, a person decides. Every other kind is sent once more under the same
Message-ID: two copies of a receipt or an invitation do less harm than none.
"""

NO_WAY = "Không có địa chỉ thư điện tử, địa chỉ gửi thư hoặc số điện thoại dùng được"
TOO_OLD = "Thư được yêu cầu từ lâu mà sổ gửi chưa có: chờ Văn phòng xem xét trước khi gửi"
RESTORED = "Dữ liệu vừa được phục hồi từ bản sao lưu, có thể thư đã được gửi: chờ Văn phòng xem xét"
SUPERSEDED = "Đã có thư khác thay thế"
REDIRECTED = "Người đăng ký đã sửa thông tin liên hệ"
EXPIRED = "Đã quá thời điểm còn ý nghĩa để gửi"
WITHDRAWN = "Nơi yêu cầu đã rút thư"
ERASED = "Dữ liệu cá nhân đã được xóa theo yêu cầu"
RETRIES_OVER = "Đã thử gửi lại trong thời hạn cho phép mà không được"
NO_REPLY = "Mất kết nối trước khi máy chủ thư trả lời"


@dataclass(frozen=True, slots=True)
class Start:
    """How a row begins: its state, the way it goes, and why."""

    state: State
    way: Way | None
    reason: str = ""


def letter_id(agency: str, letter_key: str) -> str:
    """What a letter is about, whoever it goes to; `supersedes` and withdrawals refer to it."""
    return _digest(agency, letter_key)


def row_id(agency: str, letter_key: str, recipient: Recipient | None) -> str:
    """The ledger's `_id`: one per letter and recipient, so asking twice is sending once (I4)."""
    return _digest(agency, letter_key, _who(recipient))


def _digest(*parts: str) -> str:
    return sha256("\0".join(parts).encode()).hexdigest()[:40]


def _who(recipient: Recipient | None) -> str:
    if recipient is None:
        return ""
    return recipient.email.casefold() or recipient.phone or f"{recipient.name}\0{recipient.organisation}\0{recipient.address}"


def message_id(row: Row, domain: str) -> str:
    """The same for every copy of a letter, so a mail server can drop a second one."""
    return f"<{row['_id']}@{domain}>"


def start(letter: LetterState, *, asked_at: datetime, now: datetime, held_before: datetime, problem: str = "") -> Start:
    """How a letter that has no row yet begins. `asked_at` is the event's own time; `problem` says why it cannot be worded.

    One that was asked for before `held_before` may have been sent by a ledger that is lost: a person decides.
    """
    if letter.status == "withdrawn" or letter.recipient is None:
        return Start(S.WITHDRAWN, None, letter.reason or WITHDRAWN)
    if not letter.ways:
        return Start(S.SKIPPED, None, letter.reason or "Nơi yêu cầu cho biết không gửi")
    way = reachable(letter.recipient, letter.ways)
    if problem:
        return Start(S.FAILED, way, problem)
    if way is None:
        return Start(S.FAILED, None, NO_WAY)
    if letter.not_after is not None and letter.not_after < now:
        return Start(S.SKIPPED, way, EXPIRED)
    if asked_at < held_before:
        return Start(S.HELD, way, TOO_OLD)
    return Start(_BY_WAY[way], way)


_BY_WAY: Mapping[Way, State] = {Way.EMAIL: S.PENDING, Way.POST: S.TO_PRINT, Way.PHONE: S.TO_PHONE}


def reachable(recipient: Recipient, ways: Iterable[Way]) -> Way | None:
    """The first way, in order of preference, that the recipient's data allow (D9)."""
    contact = {Way.EMAIL: recipient.email, Way.POST: recipient.address, Way.PHONE: recipient.phone}
    return next((way for way in ways if contact[way].strip()), None)


def pause(attempt: int, jitter: float, first: timedelta = timedelta(minutes=1)) -> timedelta:
    """Before the next attempt after the `attempt`-th failed: 1, 2, 4 … times the first, at most an hour, ± 20 %.

    `jitter` lies in [0, 1).
    """
    doublings = min(max(attempt - 1, 0), 16)  # more than an hour whatever the first, and no overflow
    return min(first * (1 << doublings), LONGEST_PAUSE) * (0.8 + 0.4 * jitter)


def must_not_go(row: Row, now: datetime, superseded: Collection[str]) -> str | None:
    """Why a letter must not be sent any more; asked at every claim, so before every retry. None: it may go."""
    if row["letter_id"] in superseded:
        return SUPERSEDED
    if row.get("not_after") is not None and row["not_after"] < now:
        return EXPIRED
    return None


# What became of an attempt


def accepted(row: Row, acting: Acting) -> Change:
    """The mail server said 250."""
    return _move(row, acting, S.SENT)


def put_off(row: Row, acting: Acting, reason: str, *, server_now: datetime, wait: timedelta) -> Change:
    """Not this time (4xx, no connection, a file not there yet): after a `pause`, or FAILED when that would be too late.

    `server_now` is the database's clock, which judges when the row falls due; the limits are business time.
    """
    limit = row["queued_at"] + RETRIED_FOR
    if row.get("not_after") is not None:
        limit = min(limit, row["not_after"])
    if acting.now + wait > limit:
        return _move(row, acting, S.FAILED, reason=f"{RETRIES_OVER}: {reason}")
    return _move(row, acting, S.DEFERRED, reason=reason, fields={"next_at": server_now + wait})


def refused(row: Row, acting: Acting, reason: str) -> Change:
    """5xx, or a letter that can never be built: a staff task, with a letter to print."""
    return _move(row, acting, S.FAILED, reason=reason)


def lost(row: Row, acting: Acting, *, again_at: datetime) -> Change:
    """Nobody knows whether it went out: once more under the same Message-ID, or a person decides, as the kind says."""
    repeats = row.get("repeats", 0)
    if row["kind"] in WAITS_FOR_STAFF or repeats > 0:
        return _move(row, acting, S.UNKNOWN, reason=NO_REPLY)
    return _move(row, acting, S.UNKNOWN, reason=NO_REPLY, fields={"next_at": again_at, "repeats": repeats + 1})


def skip(row: Row, acting: Acting, reason: str) -> Change:
    """It does not go, and the row says why."""
    return _move(row, acting, S.SKIPPED, reason=reason)


# What others ask for


def withdraw(row: Row, acting: Acting) -> Change | None:
    """Its owner withdrew it; what is gone is gone. Raises `Conflict` while a worker holds it: ask again when it has let go."""
    if row["state"] in SETTLED:
        return None
    _not_held(row)
    return _move(row, acting, S.WITHDRAWN, reason=WITHDRAWN)


def supersede(row: Row, acting: Acting) -> Change | None:
    """Another letter takes its place. A row that a worker holds is asked about at its next claim."""
    if row["state"] in SETTLED or row["state"] in IN_FLIGHT:
        return None
    return _move(row, acting, S.SKIPPED, reason=SUPERSEDED)


def hold(row: Row, acting: Acting) -> Change:
    """A backup shows it as not sent, but it may have been sent since: a person decides."""
    return _move(row, acting, S.HELD, reason=RESTORED)


def _not_held(row: Row) -> None:
    if row["state"] in IN_FLIGHT:
        raise Conflict("a worker holds the letter")


def erase(row: Row, acting: Acting) -> Change | None:
    """The registrant's data are erased: no name, no content; what was not sent never will be.

    Raises `Conflict` while a worker holds the row: ask again when it has let go.
    """
    if row["state"] in SETTLED:
        if "to" not in row:
            return None
        return Change([acting.act(EVENTS[State(row["state"])], reason=ERASED)], unset=("to", "note"))
    _not_held(row)
    change = _move(row, acting, S.WITHDRAWN, reason=ERASED)
    return Change(change.acts, change.set, (*change.unset, "to", "note"))


FOLLOWS_NOBODY = frozenset({LetterKind.CONTACT_CHANGED})
"""Written to the address that was replaced."""
OF_STAFF = frozenset({LetterKind.INTERNAL_INVITATION, LetterKind.NEW_QUESTION, LetterKind.REMINDER, LetterKind.OVERDUE})
"""Written to a unit or a colleague, not to a registrant."""


def redirect(row: Row, acting: Acting, recipient: Recipient, *, due_at: datetime) -> Change | None:
    """The registrant corrected the contact: what has not gone out goes there, under its old identity, and what could not be
    delivered is tried anew. Raises `Conflict` while a worker holds the row: ask again when it has let go.
    """
    content = row.get("content")
    if row["state"] in SETTLED or content is None or LetterKind(row["kind"]) in OF_STAFF | FOLLOWS_NOBODY:
        return None
    new = recipient.model_dump(mode="json")
    if content["recipient"] == new:
        return None
    _not_held(row)
    fields: dict[str, Any] = {"content": {**content, "recipient": new}, "to": recipient.organisation or recipient.name}
    way = reachable(recipient, [Way(row["way"]), *Way] if row.get("way") else Way)
    if row["state"] != S.FAILED or way is None:
        return Change([acting.act(EVENTS[State(row["state"])], reason=REDIRECTED)], fields | {"reason": REDIRECTED})
    if way is Way.EMAIL:
        fields |= {"next_at": due_at, "queued_at": acting.now, "attempt": 0, "repeats": 0}
    return _move(row, acting, _BY_WAY[way], reason=REDIRECTED, fields=fields | {"way": way.value})


# What staff decide


def send_again(row: Row, acting: Acting, *, due_at: datetime) -> Change:
    """FAILED, UNKNOWN, HELD or DEFERRED: by its way once more, from now, with the old Message-ID."""
    way = row.get("way")
    if way is None or "content" not in row:
        raise Conflict("no way to send it")
    if row.get("not_after") is not None and row["not_after"] < acting.now:
        raise Conflict(EXPIRED)
    if way != Way.EMAIL:
        return _move(row, acting, _BY_WAY[Way(way)], reason="")
    fields = {"next_at": due_at, "queued_at": acting.now, "attempt": 0, "repeats": 0}
    return _move(row, acting, S.PENDING, fields=fields)


def by_post(row: Row, acting: Acting) -> Change:
    """As a printed letter instead. Raises `Conflict` when no postal address is known."""
    if not _contact(row, "address"):
        raise Conflict("no postal address")
    return _move(row, acting, S.TO_PRINT, fields={"way": Way.POST.value})


def by_phone(row: Row, acting: Acting) -> Change:
    """By telephone instead. Raises `Conflict` when no number is known."""
    if not _contact(row, "phone"):
        raise Conflict("no telephone number")
    return _move(row, acting, S.TO_PHONE, fields={"way": Way.PHONE.value})


def _contact(row: Row, field: str) -> str:
    recipient: Mapping[str, str] = row.get("content", {}).get("recipient") or {}
    return recipient.get(field, "").strip()


def give_up(row: Row, acting: Acting, reason: str) -> Change:
    """Staff decide not to send it; the reason stays in the ledger."""
    return _move(row, acting, S.SKIPPED, reason=reason)


def confirm_sent(row: Row, acting: Acting) -> Change:
    """Staff found out that an UNKNOWN one did arrive."""
    if row["state"] != S.UNKNOWN:
        raise Conflict("only for an unknown one")
    return _move(row, acting, S.SENT, reason="Văn phòng đã xác nhận người nhận có thư")


def printed(row: Row, acting: Acting) -> Change:
    return _move(row, acting, S.PRINTED)


def posted(row: Row, acting: Acting, number: str, on: date) -> Change:
    """`number` is that of the post book (sổ gửi bưu điện)."""
    return _move(
        row, acting, S.POSTED, reason=f"Sổ gửi bưu điện số {number}", fields={"post": {"number": number, "on": on.isoformat()}}
    )


class CallResult(StrEnum):
    """What came of a call."""

    TOLD = "told"
    TOLD_FAMILY = "told_family"
    NO_ANSWER = "no_answer"
    WRONG_NUMBER = "wrong_number"
    ASKS_FOR_POST = "asks_for_post"


CALL_RESULTS: Mapping[CallResult, str] = {
    CallResult.TOLD: "Đã báo trực tiếp",
    CallResult.TOLD_FAMILY: "Đã báo qua người cùng nhà, cùng cơ quan",
    CallResult.NO_ANSWER: "Không nghe máy",
    CallResult.WRONG_NUMBER: "Sai số điện thoại",
    CallResult.ASKS_FOR_POST: "Đề nghị gửi thư",
}


def phoned(row: Row, acting: Acting, result: CallResult) -> Change:
    """One call. Nobody answered: it stays on the list. A wrong number or a wish for a letter: printed, if there is an address."""
    words = CALL_RESULTS[result]
    if result in (CallResult.TOLD, CallResult.TOLD_FAMILY):
        return _move(row, acting, S.PHONED, reason=words)
    calls = {"calls": row.get("calls", 0) + 1}
    if result is CallResult.NO_ANSWER or not _contact(row, "address"):
        return _move(row, acting, S.TO_PHONE, reason=words, fields=calls)
    return _move(row, acting, S.TO_PRINT, reason=words, fields={**calls, "way": Way.POST.value})


def returned(row: Row, acting: Acting, reason: str) -> Change:
    """The post or the mail server brought it back: the person has not been reached (D9's gap list)."""
    return _move(row, acting, S.RETURNED, reason=reason)


EVENTS: Mapping[State, str] = {
    S.PENDING: "delivery.queued.v1",
    S.SENT: "delivery.sent.v1",
    S.DEFERRED: "delivery.deferred.v1",
    S.FAILED: "delivery.failed.v1",
    S.UNKNOWN: "delivery.unknown.v1",
    S.HELD: "delivery.held.v1",
    S.TO_PRINT: "delivery.to_print.v1",
    S.PRINTED: "delivery.printed.v1",
    S.POSTED: "delivery.posted.v1",
    S.TO_PHONE: "delivery.to_phone.v1",
    S.PHONED: "delivery.phoned.v1",
    S.RETURNED: "delivery.returned.v1",
    S.SKIPPED: "delivery.skipped.v1",
    S.WITHDRAWN: "delivery.withdrawn.v1",
}
"""The event of each state; a worker's marks have none."""

STATUS: Mapping[State, str] = {state: type_.split(".")[1] for state, type_ in EVENTS.items()} | {
    S.CLAIMED: "queued",
    S.SENDING: "queued",
}
"""The state as others see it."""


def _move(row: Row, acting: Acting, to: State, *, reason: str = "", fields: Mapping[str, Any] | None = None) -> Change:
    was = State(row["state"])
    if to not in NEXT[was]:
        raise Conflict(f"{was} does not become {to}")
    act = acting.act(EVENTS[to], reason=reason or None, changes={"state": [was.value, to.value]})
    given = dict(fields or {})
    changed = {"state": to.value, "reason": reason, "steps": [*row["steps"], step(act, row["seq"] + 1, STATUS[to])], **given}
    dropped: Sequence[str] = ("claimed_by", "next_at", *(("content",) if to in SETTLED else ()))
    return Change([act], changed, [name for name in dropped if name not in given])
