"""The meeting: who was there, what became of each content, who spoke without having registered (D10, D11)."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID, uuid4

from fastapi import APIRouter, Request
from starlette.responses import Response

from contracts.model import QuestionState, RegistrantKind
from kit.auth import Session
from kit.clock import local_date
from kit.mongo import Document
from kit.web import Submitted, read_form
from services.routing.dialogues import agenda, forms, letters, usecases
from services.routing.dialogues.pages.desk import Desk, Office, Reader, after, base, just_done
from services.routing.questions import clocks, states, views
from services.routing.questions import store as questions_store
from services.routing.questions import usecases as questions
from services.routing.questions import views as question_views
from services.routing.questions.usecases import Outcome, OutcomeKind

SPEAKERS = 50
"""People on one page, in speaking order."""
ATTENDANCE = {"attended": "Có mặt", "substitute": "Dự thay (có giấy giới thiệu)", "absent": "Vắng"}
OUTCOMES = {
    OutcomeKind.RESOLVED: "Đã giải đáp tại Hội nghị",
    OutcomeKind.TO_WRITE: "Giao trả lời bằng văn bản",
    OutcomeKind.ADOPTED: "Tiếp thu, giao đơn vị",
    OutcomeKind.ESCALATED: "Vượt thẩm quyền, kiến nghị cấp trên",
    OutcomeKind.GUIDED: "Hướng dẫn đến cơ quan khác",
    OutcomeKind.ANSWERED_TO_ABSENT: "Vắng: gửi nội dung trả lời theo địa chỉ",
    OutcomeKind.NOT_RAISED: "Vắng: không nêu",
    OutcomeKind.WITHDRAWN: "Người đăng ký rút",
}
CONFLICT = "Nội dung này vừa được ghi kết quả, hoặc không còn ở bước ghi kết quả; điều Ông/Bà vừa nhập chưa được ghi."
ATTENDANCE_CONFLICT = "Phiếu này không còn ở bước ghi việc tham dự; điều Ông/Bà vừa nhập chưa được ghi."
KINDS = (
    (RegistrantKind.INDIVIDUAL, "Cá nhân"),
    (RegistrantKind.ORGANISATION, "Tổ chức"),
    (RegistrantKind.ENTERPRISE, "Doanh nghiệp"),
    (RegistrantKind.COOPERATIVE, "Hợp tác xã"),
)


def router(desk: Desk) -> APIRouter:
    """`doi-thoai/{id}/dien-bien…`."""
    routes = APIRouter(prefix="/doi-thoai/{dialogue_id}/dien-bien")
    routing = desk.routing

    async def meeting_page(
        request: Request,
        session: Session,
        dialogue_id: str,
        form: str = "",
        submitted: Submitted | None = None,
        errors: Any = None,
        trang: int = 1,
    ) -> Response:
        dialogue = await desk.dialogue(session.agency, dialogue_id)
        agency = desk.agency(session.agency)
        cases, found = await _cases_and_questions(desk, dialogue)
        items = agenda.agenda(dialogue, cases, found)
        speakers = _speakers(cases, items)
        pages = max(1, -(-len(speakers) // SPEAKERS))
        number = min(max(trang, 1), pages)
        shown: dict[str, Mapping[str, str]] = {"walk_in": {"key": uuid4().hex, "kind": "individual"}}
        shown["held"] = {"held_on": local_date(dialogue["starts_at"]).isoformat() if dialogue["starts_at"] else ""}
        if submitted:
            shown[form] = submitted.values
        today = local_date(routing.clock())
        said, place = just_done(request), request.query_params.get("muc", "")
        return desk.page(
            request,
            session,
            "meeting.html",
            status=422 if errors else 200,
            dialogue=dialogue,
            speakers=speakers[(number - 1) * SPEAKERS : number * SPEAKERS],
            page=number,
            pages=pages,
            attendance=agenda.attendance(cases),
            unrecorded=sum(states.is_open(i.question) and not _has_outcome(i.question) for i in items),
            begun=dialogue["starts_at"] is not None and dialogue["starts_at"] <= routing.clock(),
            attendance_names=ATTENDANCE,
            outcome_names=OUTCOMES,
            outcome_name=_outcome_name,
            reply_words=question_views.reply_words,
            has_outcome=_has_outcome,
            may_record=_may_record,
            running_clock=clocks.running_clock,
            kinds=KINDS,
            participation=views.participation,
            units=[(u.code, u.name) for u in agency.units_on(today)],
            form=form,
            shown=shown,
            errors=errors or {},
            # Who recorded something of one person comes back to that person's place, and reads it there.
            flash=None if place else said,
            told={place: said},
        )

    def again(request: Request, session: Session, dialogue_id: str, form: str, trang: int = 1) -> Any:
        async def show(submitted: Submitted, errors: Mapping[str, str]) -> Response:
            return await meeting_page(request, session, dialogue_id, form, submitted, errors, trang)

        return show

    @routes.get("")
    async def meeting(request: Request, dialogue_id: str, session: Reader, trang: int = 1) -> Response:
        return await meeting_page(request, session, dialogue_id, trang=trang)

    @routes.post("/tham-du/{case_id}")
    async def attendance(request: Request, dialogue_id: str, case_id: UUID, session: Office, trang: int = 1) -> Response:
        async def act(submitted: Submitted) -> None:
            form = submitted.parse(forms.AttendanceForm)
            await questions.record_attendance(routing, desk.acting(session), case_id, form.attendance, form.note)

        to = _place(session, dialogue_id, trang, f"phieu-{case_id}")
        shown_again = again(request, session, dialogue_id, f"attendance-{case_id}", trang)
        return await desk.post(request, to, act, shown_again, "tham-du", {"attendance": ATTENDANCE_CONFLICT})

    @routes.post("/noi-dung/{question_id}")
    async def outcome(request: Request, dialogue_id: str, question_id: UUID, session: Office, trang: int = 1) -> Response:
        async def act(submitted: Submitted) -> None:
            form = submitted.parse(forms.OutcomeForm)
            who = questions.who_is(routing, session)
            await questions.record_outcome(routing, desk.acting(session), question_id, form.outcome(), who=who)

        to = _place(session, dialogue_id, trang, f"noi-dung-{question_id}")
        shown_again = again(request, session, dialogue_id, f"outcome-{question_id}", trang)
        return await desk.post(request, to, act, shown_again, "ket-qua", {"kind": CONFLICT})

    @routes.post("/vang-mat")
    async def answer_absent(request: Request, agency: str, dialogue_id: str, session: Office) -> Response:
        """Every content of an absent invitee that has an approved answer gets it by letter (D11)."""
        await read_form(request)
        dialogue = await desk.dialogue(agency, dialogue_id)
        cases, found = await _cases_and_questions(desk, dialogue)
        ready = [
            item.question["_id"]
            for item in agenda.agenda(dialogue, cases, found)
            if item.is_absent and item.question.get("answer") and states.is_open(item.question)
        ]
        answered = Outcome(OutcomeKind.ANSWERED_TO_ABSENT)
        who = questions.who_is(routing, session)
        await questions.many(ready, lambda _id: questions.record_outcome(routing, desk.acting(session), _id, answered, who=who))
        return after(_to(session, dialogue_id), "vang-mat" if ready else "vang-mat-khong")

    @routes.post("/phat-sinh")
    async def walk_in(request: Request, dialogue_id: str, session: Office) -> Response:
        async def act(submitted: Submitted) -> None:
            form = submitted.parse(forms.WalkInForm)
            acting = desk.acting(session)
            await questions.open_walk_in(routing, acting, dialogue_id, form.person(), form.text, kind=form.kind, key=form.key)

        shown_again = again(request, session, dialogue_id, "walk_in")
        return await desk.post(request, _to(session, dialogue_id), act, shown_again, "phat-sinh")

    @routes.post("/da-to-chuc")
    async def held(request: Request, dialogue_id: str, session: Office) -> Response:
        async def act(submitted: Submitted) -> None:
            held_on = submitted.parse(forms.HeldForm).held_on
            await usecases.hold_dialogue(routing, desk.acting(session), dialogue_id, held_on)

        shown_again = again(request, session, dialogue_id, "held")
        return await desk.post(request, _to(session, dialogue_id), act, shown_again, "da-to-chuc")

    return routes


def _to(session: Session, dialogue_id: str) -> str:
    return f"{base(session)}/doi-thoai/{dialogue_id}/dien-bien"


def _place(session: Session, dialogue_id: str, page: int, mark: str) -> str:
    """Where somebody or something stands on the page of a meeting."""
    return f"{_to(session, dialogue_id)}?trang={page}&muc={mark}#{mark}"


async def _cases_and_questions(desk: Desk, dialogue: Document) -> tuple[list[Document], list[Document]]:
    routing = desk.routing
    return (
        await questions_store.cases_of_dialogue(routing.cases.collection, dialogue["agency"], dialogue["_id"]),
        await questions_store.questions_of_dialogue(routing.questions.collection, dialogue["agency"], dialogue["_id"]),
    )


def _has_outcome(question: Document) -> bool:
    """Whether the meeting's outcome of a content is recorded; an escalation and a written answer stay open after it."""
    state = question["state"]
    return state in {s.value for s in letters.OUTCOMES} or question.get("outcome") == "not_raised"


def _may_record(question: Document) -> bool:
    """Whether an outcome can still be recorded; what was given to a unit or to the level above goes on at its own page."""
    on_its_way = (QuestionState.TO_WRITE, QuestionState.ESCALATED)
    return states.is_open(question) and states.state_of(question) not in on_its_way


def _outcome_name(question: Document) -> str:
    """The recorded outcome in words."""
    if question.get("outcome") in (OutcomeKind.NOT_RAISED, OutcomeKind.ANSWERED_TO_ABSENT):
        return OUTCOMES[OutcomeKind(question["outcome"])]
    return letters.OUTCOMES[QuestionState(question["state"])]


def _speakers(cases: Sequence[Document], items: Sequence[agenda.Item]) -> list[tuple[Document, list[agenda.Item]]]:
    """In speaking order, each with the own contents."""
    by_case: dict[UUID, list[agenda.Item]] = {}
    for item in items:
        by_case.setdefault(item.case["_id"], []).append(item)
    return [(case, by_case.get(case["_id"], [])) for case in agenda.in_order(cases) if agenda.is_at_meeting(case)]
