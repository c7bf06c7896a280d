"""What is done with requests about personal data: one function per command."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, get_args
from uuid import UUID

from uuid_utils.compat import uuid5

from contracts.model import CaseSource, CaseState, Channel, QuestionStateData
from kit.acting import Acting
from kit.agency import Deadline as Rule
from kit.calendar import Deadline, WorkCalendar
from kit.clock import start_of_day
from kit.errors import Conflict, Invalid, NotFound
from kit.mongo import Document
from kit.web.navigation import DATA_REQUESTS as PAGE
from services.intake.after import domain as after
from services.intake.after import sheets
from services.intake.after.domain import is_hidden
from services.intake.data_requests import domain, store
from services.intake.data_requests.domain import State, What
from services.intake.documents import LETTER
from services.intake.metrics import DATA_REQUESTS, DATA_REQUESTS_OLDEST, DATA_REQUESTS_OVERDUE
from services.intake.usecases import Intake

Forget = Callable[[str, UUID], Awaitable[None]]
"""Removes what other parts of intake keep of a registration: the mail that it came by."""
LAW = "NĐ 356/2025"


async def ask(intake: Intake, acting: Acting, registration: Document, what: What, note: str) -> Document:
    """Ask for a copy or for deletion. While one of the kind is open it is the answer: pressed twice is asked once. The clocks
    count from the day on which the person asked, though staff may record it later.

    Raises `Conflict` when there is nothing left to ask about.
    """
    if what not in get_args(What):
        raise Invalid({"what": "Xin chọn một yêu cầu."})
    if registration["status"] == "erased":
        raise Conflict("the data are deleted")
    known = await store.of_registration(intake.requests.collection, acting.agency, registration["_id"])
    same = [request for request in known if request["what"] == what]
    if open_one := next((request for request in same if domain.is_open(request)), None):
        return open_one
    deadlines = intake.agency(acting.agency).deadlines
    calendar = await intake.calendars.of(acting.agency)
    start = start_of_day(acting.asked.on) if acting.asked else acting.now
    answer = _due(calendar, deadlines.data_answer, start)
    due = _due(calendar, deadlines.data_see if what == "see" else deadlines.data_delete, start)
    state = domain.new_request(registration, acting, what, note, answer, due)
    act = acting.act(LETTER, changes={"step": State.RECEIVED.value})
    # The id counts those before it, so that two clicks at once come to one request.
    document = await intake.requests.new(uuid5(registration["_id"], f"data/{what}/{len(same)}"), acting.agency, state, [act])
    await intake.requests.insert(document)
    return document


def _due(calendar: WorkCalendar, rule: Rule, start: datetime) -> Deadline:
    count = calendar.working_days_after if rule.counting == "working" else calendar.calendar_days_after
    return count(start, rule.days, rule=LAW)


async def decide(intake: Intake, acting: Acting, request: UUID, to: State, reason: str) -> None:
    """Grant it, in part, or refuse it. Raises `Conflict` when it has been decided, `Invalid` without a reason."""
    await intake.requests.change(request, acting.agency, lambda d: domain.decided(d, acting, to, reason))
    await measure(intake)


async def extend(intake: Intake, acting: Acting, request: UUID, reason: str) -> None:
    """More time, once, from the day on which it would have been due. Raises as `domain.extended`."""
    rule = intake.agency(acting.agency).deadlines.data_extension
    calendar = await intake.calendars.of(acting.agency)

    def decision(document: Document) -> Any:
        return domain.extended(document, acting, _due(calendar, rule, _last_moment(document)), reason)

    await intake.requests.change(request, acting.agency, decision)
    await measure(intake)


def _last_moment(document: Document) -> datetime:
    """The day of the old deadline counts as the first day of the extension's, so the count begins on it."""
    end: datetime = document["completion"]["due_at"]
    return end - timedelta(seconds=1)


async def finish(intake: Intake, acting: Acting, request: UUID, forget: Forget) -> None:
    """Carry out what was granted: a deletion is done here, a copy has been handed over. May be repeated after a crash.

    Raises `Invalid` while something that somebody else needs stands in the way of a deletion.
    """
    document = await intake.requests.get(request, acting.agency)
    if document["what"] == "delete" and domain.state_of(document) in domain.AGREED:
        await forget(acting.agency, document["registration"])
        await erase(intake, acting, document["registration"])
    await intake.requests.change(request, acting.agency, lambda d: domain.done(d, acting))
    await measure(intake)


async def measure(intake: Intake) -> None:
    """How many are open in each agency, how old and how many overdue: for the metrics, and for the office's navigation."""
    now = intake.clock()
    found = await store.standings(intake.requests.collection, intake.agencies, now)
    for agency in intake.agencies:
        standing = found.get(agency)
        DATA_REQUESTS.labels(agency).set(standing.count if standing else 0)
        DATA_REQUESTS_OLDEST.labels(agency).set((now - standing.since).total_seconds() if standing else 0)
        DATA_REQUESTS_OVERDUE.labels(agency).set(standing.overdue if standing else 0)
    intake.waiting[PAGE] = {agency: standing.count for agency, standing in found.items()}


async def erase(intake: Intake, acting: Acting, registration: UUID) -> None:
    """Remove everything personal of a registration, or of feedback: files, then person and texts with the event that routing and
    notify obey, then what requests about it hold. Every step may be repeated. Raises `NotFound`.
    """
    sheet = await sheets.by_id(intake, acting.agency, registration)
    if sheet is None:
        raise NotFound("registration")
    await intake.attachments.erase(sheet)
    await sheets.change(intake, sheet, lambda d: after.erased(d, acting))
    await store.forget_person(intake.requests.collection, acting.agency, registration)


def copy_of(
    registration: Document,
    case: CaseState | None,
    questions: dict[UUID, QuestionStateData],
    requests: list[Document],
    *,
    sealed: bool = False,
) -> dict[str, Any]:
    """All that intake holds of a registration, or of feedback, in plain values. The text of what is sealed is None, but for those
    named for it (`sealed`): neither the office nor whoever else holds the code may learn of a denunciation (D6).
    """

    def is_left_out(no: int) -> bool:
        mine = after.family(registration["_id"], no, questions)
        return not sealed and any(is_hidden(questions.get(_id)) for _id in mine)

    sections = [
        {"no": s["no"], "title": s["title"], "text": None, "additions": []}
        if is_left_out(s["no"])
        else {
            "no": s["no"],
            "title": s["title"],
            "text": s["text"],
            "additions": [{"at": a["at"].isoformat(), "text": a["text"]} for a in s.get("additions") or ()],
        }
        for s in registration["sections"]
    ]
    of_feedback = sheets.source_of(registration) is CaseSource.FEEDBACK
    told = ("group", "group_unknown", "procedure", "outside_number", "outside_due") if of_feedback else ()
    return {
        **{name: registration[name] for name in told},
        "source": sheets.source_of(registration).value,
        "case_number": registration["case_number"],
        "plan": registration["plan"],
        "dialogue": case.dialogue if case else registration["dialogue"],
        "channel": Channel(registration["channel"]).value,
        "received_at": registration["received_at"].isoformat(),
        "recorded_at": registration["recorded_at"].isoformat(),
        "incoming_number": registration["incoming_number"],
        "kind": registration["kind"],
        "person": registration.get("person"),
        "preferred_way": registration["preferred_way"],
        "consent_version": registration["consent_version"],
        "sections": sections,
        "files": [{"name": f["name"], "size": f["size"], "sha256": f["sha256"]} for f in registration.get("files", ())],
        "withdrawn_sections": list(registration.get("withdrawn_sections", ())),
        "withdrawal_reason": registration.get("withdrawal_reason", ""),
        "attendance_reply": _plain(registration.get("attendance_reply")),
        "steps": [{"at": s["at"].isoformat(), "state": s["state"]} for s in registration["steps"]],
        "requests": [{"what": r["what"], "asked_at": r["asked_at"].isoformat(), "state": r["state"]} for r in requests],
    }


def _plain(value: Document | None) -> dict[str, Any] | None:
    if value is None:
        return None
    return {k: v.isoformat() if isinstance(v, datetime) else v for k, v in value.items()}
