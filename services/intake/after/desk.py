"""`/{agency}/tiep-nhan/phieu/{id}…`: staff do for somebody who calls, writes or comes what that person could do by the code.

The tasks, their pages and their use cases are the person's own (tasks.py); what is added is how, and on which day, it was asked
for, which the act and its step keep. The code itself is not shown here.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from contracts.model import Channel
from kit.acting import Acting, Asked
from kit.agency import Agency
from kit.auth import Role, Session
from kit.clock import format_date, format_moment_long, local_date
from kit.errors import Conflict, Forbidden, Invalid, NotFound
from kit.mongo import Document
from kit.web import Submitted, Templates, current_trace, read_form, staff
from kit.web.faces import face_of
from kit.web.rendering import format_phone
from services.intake import views
from services.intake.after import domain, sheets, usecases
from services.intake.after.domain import Mode, Situation
from services.intake.after.forms import AskedForm
from services.intake.after.tasks import CHANGED, MOVED, Act, Confirm, Task, Tasks, section_context, task_context
from services.intake.data_requests import store as requests_store
from services.intake.feedback import views as feedback_views
from services.intake.usecases import Intake

AtCounter = Annotated[Session, Depends(staff(Role.OFFICE, Role.CONTROL))]
DONE: Mapping[str, str] = {
    "sua": "Đã ghi nội dung sửa.",
    "bo-sung": "Đã ghi nội dung bổ sung.",
    "lien-he": "Đã ghi thông tin liên hệ mới. Thư nào chưa gửi thì được gửi theo thông tin này.",
    "cach-nhan": "Đã ghi cách nhận thông tin.",
    "rut": "Đã ghi việc rút nội dung.",
    "tham-du": "Đã ghi trả lời giấy mời.",
    "du-lieu": "Đã ghi yêu cầu về dữ liệu cá nhân; hệ thống tính thời hạn và báo người yêu cầu.",
}
IN_FUTURE = "Ngày đề nghị ở trong tương lai. Xin kiểm tra lại."
BEFORE_RECEIPT = "Ngày đề nghị ở trước ngày nhận phiếu. Xin kiểm tra lại."

_OWN = tuple(AskedForm.model_fields)


def router(intake: Intake, templates: Templates) -> APIRouter:
    """For the office; what came as feedback for the control unit as well. To be registered before the counter's addresses."""
    desk = _Desk(intake, templates)
    routes = APIRouter(prefix="/{agency}/tiep-nhan/phieu/{case}", include_in_schema=False)
    routes.get("")(desk.overview)
    routes.get("/noi-dung/{no}")(desk.section)
    routes.post("/noi-dung/{no}")(desk.change_section)
    routes.get("/{task}")(desk.show)
    routes.post("/{task}")(desk.do)
    return routes


class _Desk:
    def __init__(self, intake: Intake, templates: Templates) -> None:
        self._intake = intake
        self._templates = templates
        self._tasks = Tasks(intake)

    async def overview(self, request: Request, session: AtCounter, agency: str, case: UUID) -> Response:
        """What can be done for the person now, and what was done for them before."""
        profile = self._intake.agency(agency)
        document = await self._sheet(session, case)
        seen, situation = await self._seen(session, document)
        titles = sheets.titles_of(profile, document)
        modes = {no: domain.mode(seen, no, situation) for no in titles}
        filled = [(s["no"], _title(seen, s["no"], s["title"]), modes[s["no"]].value) for s in seen["sections"]]
        requests = await requests_store.of_registration(self._intake.requests.collection, agency, case)
        return self._page(
            request,
            profile,
            case,
            "after/desk.html",
            document=document,
            is_erased=document["status"] == "erased",
            person=_person(document),
            contents=filled,
            unfilled=[(no, _title(seen, no, title)) for no, title in titles.items() if modes[no] is Mode.NEW],
            may_change=domain.may_change(document),
            may_withdraw=bool(domain.withdrawable(seen, situation)),
            may_reply=domain.may_reply(document, situation),
            attendance=views.reply_words(domain.valid_reply(document, situation)),
            requests=[(row, views.request_view(row, situation.now)) for row in requests],
            decides_requests=session.has(Role.OFFICE),
            slip=_slip(session, document),
            recorded=await self._recorded(document),
            flash=DONE.get(request.query_params.get("xong", "")),
        )

    async def show(self, request: Request, session: AtCounter, agency: str, case: UUID, task: str) -> Response:
        """The page of a task."""
        found = self._tasks.find(task)
        document = await self._sheet(session, case)
        values = {**found.values(document), **self._today()}
        return await self._task(request, session, self._intake.agency(agency), document, found, values)

    async def do(self, request: Request, session: AtCounter, agency: str, case: UUID, task: str) -> Response:
        """What was sent from the page of a task."""
        found = self._tasks.find(task)
        profile = self._intake.agency(agency)

        async def act(acting: Acting, document: Document, typed: Submitted) -> str:
            seen, _ = await self._seen(session, document)
            return await found.act(acting, seen, typed)

        async def again(document: Document, typed: Submitted, **context: Any) -> Response:
            chosen = typed.lists.get("sections", ())
            return await self._task(request, session, profile, document, found, typed.values, chosen=chosen, **context)

        return await self._act(request, session, case, act, again)

    async def section(self, request: Request, session: AtCounter, agency: str, case: UUID, no: int) -> Response:
        """One section of the form, to change, to add to or to fill."""
        document = await self._sheet(session, case)
        return await self._section(request, session, self._intake.agency(agency), document, no, self._today())

    async def change_section(self, request: Request, session: AtCounter, agency: str, case: UUID, no: int) -> Response:
        """A section changed, added to or filled. To what this person must not know of, it is added, whatever the page offered."""
        profile = self._intake.agency(agency)

        async def act(acting: Acting, document: Document, typed: Submitted) -> str:
            seen, _ = await self._seen(session, document)
            is_kept_from_them = domain.section_of(seen, no) is None and domain.section_of(document, no) is not None
            offered = Mode.ADD if is_kept_from_them else None
            return await self._tasks.change_section(acting, document, no, typed, offered)

        async def again(document: Document, typed: Submitted, **context: Any) -> Response:
            return await self._section(request, session, profile, document, no, typed.values, **context)

        return await self._act(request, session, case, act, again)

    async def _act(
        self, request: Request, session: Session, case: UUID, act: Act, again: Callable[..., Awaitable[Response]]
    ) -> Response:
        """Do it, or show the page again with what was typed."""
        submitted = await read_form(request)
        document = await self._sheet(session, case)
        try:
            acting = self._acting(session, document, submitted)
            done = await act(acting, document, submitted.without(*_OWN))
        except Invalid as error:
            return await again(document, submitted, status=422, errors=error.errors)
        except Confirm as asked:
            return await again(document, submitted, **asked.context)
        except usecases.Moved as error:
            document = await sheets.again(self._intake, document)
            return await again(document, submitted, status=409, warning=MOVED.get(error.now, CHANGED))
        except Conflict:
            document = await sheets.again(self._intake, document)
            return await again(document, submitted, status=409, warning=CHANGED)
        return RedirectResponse(f"{_here(session.agency, case)}?xong={done}", 303)

    def _acting(self, session: Session, document: Document, submitted: Submitted) -> Acting:
        """Who acts, at whose request. Raises `Invalid` for a request of tomorrow, or of before the receipt."""
        now = self._intake.clock()
        form = submitted.only(*_OWN).parse(AskedForm)
        if form.on > local_date(now):
            raise Invalid({"on": IN_FUTURE})
        if form.on < local_date(document["received_at"]):
            raise Invalid({"on": BEFORE_RECEIPT})
        return Acting(session.agency, session.username, now, current_trace(), Asked(form.via, form.on))

    async def _sheet(self, session: Session, case: UUID) -> Document:
        """Raises `NotFound`; `Forbidden` to who works on feedback alone, for what is not treated as such (K2)."""
        document = await sheets.by_id(self._intake, session.agency, case)
        if document is None:
            raise NotFound("registration")
        if session.has(Role.OFFICE):
            return document
        if not feedback_views.treated_as_feedback(document, await self._intake.projections.case(session.agency, case)):
            raise Forbidden("no feedback")
        return document

    async def _seen(self, session: Session, document: Document) -> tuple[Document, Situation]:
        """The sheet and its situation as this person may know them: to all but the named readers a section that is sealed is one
        that was not filled (D6).
        """
        situation = await usecases.situation(self._intake, document)
        return (document, situation) if session.may_read_sealed else domain.without_sealed(document, situation)

    async def _recorded(self, document: Document) -> list[tuple[Any, str, str]]:
        """What staff recorded: when, what, how it was asked for and who recorded it."""
        place = sheets.place_of(self._intake, document)
        events = (await place.outbox.get(document["_id"], document["agency"], events=True))["events"]
        actors = {event["n"]: event["actor"] for event in events}
        steps = feedback_views.STEPS if feedback_views.is_of_feedback(document) else views.STEPS
        return [
            (s["at"], _done(steps[s["state"]]), f"Đề nghị {views.asked_words(s['asked'])}; người ghi: {actors[s['n']]}")
            for s in document["steps"]
            if "asked" in s
        ]

    def _today(self) -> dict[str, str]:
        return {"on": format_date(local_date(self._intake.clock()))}

    async def _task(
        self,
        request: Request,
        session: Session,
        profile: Agency,
        document: Document,
        task: Task,
        values: Mapping[str, str],
        *,
        status: int = 200,
        **context: Any,
    ) -> Response:
        seen, situation = await self._seen(session, document)
        shown = task_context(profile, seen, situation, task, values) | context
        return self._page(request, profile, document["_id"], task.template, status=status, **shown)

    async def _section(
        self,
        request: Request,
        session: Session,
        profile: Agency,
        document: Document,
        no: int,
        values: Mapping[str, str],
        *,
        status: int = 200,
        **context: Any,
    ) -> Response:
        seen, situation = await self._seen(session, document)
        shown = section_context(profile, seen, situation, no, values) | context
        return self._page(request, profile, document["_id"], "after/section.html", status=status, **shown)

    def _page(self, request: Request, profile: Agency, case: UUID, name: str, *, status: int = 200, **context: Any) -> Response:
        here = _here(profile.code, case)
        common: dict[str, Any] = {"here": here, "home": here, "desk": True}
        return self._templates.page(request, name, agency=face_of(profile), status=status, **(common | context))


def _here(agency: str, case: UUID) -> str:
    return f"/{agency}/tiep-nhan/phieu/{case}"


def _slip(session: Session, document: Document) -> str:
    """The page of the receipt slip, for those who may open it; what came by itself has none."""
    if document["channel"] in (Channel.WEB, Channel.API):
        return ""
    if feedback_views.is_of_feedback(document):
        return f"/{session.agency}/tiep-nhan/phan-anh/{document['_id']}"
    return f"/{session.agency}/tiep-nhan/{document['_id']}" if session.has(Role.OFFICE) else ""


def _done(words: str) -> str:
    """A step of the person's, as staff read what they recorded: Sửa nội dung."""
    words = words.removeprefix("Ông/Bà ")
    return words[:1].upper() + words[1:]


def _title(document: Document, no: int, title: str) -> str:
    return title if feedback_views.is_of_feedback(document) else f"{no}. {title}"


def _person(document: Document) -> list[tuple[str, str]]:
    """By what whoever calls is told from somebody else."""
    person = document.get("person") or {}
    channels = (feedback_views if feedback_views.is_of_feedback(document) else views).CHANNELS
    facts = (
        ("Họ và tên", person.get("name")),
        ("Tổ chức", person.get("organisation")),
        ("Địa chỉ", person.get("address")),
        ("Điện thoại", format_phone(person.get("phone", ""))),
        ("Thư điện tử", person.get("email")),
        ("Muốn nhận thông tin qua", views.WAYS.get(document["preferred_way"])),
        ("Tiếp nhận", f"{format_moment_long(document['received_at'])}, {channels[document['channel']]}"),
    )
    return [(term, text) for term, text in facts if text]
