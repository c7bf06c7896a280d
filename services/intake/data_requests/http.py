"""The office's page of requests about personal data: what is due first, what a person decides, the copy that is handed over."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from kit.acting import Acting
from kit.auth import Role, Session
from kit.errors import Conflict, Invalid, NotFound
from kit.web import Submitted, Templates, current_trace, read_form, staff
from kit.web.faces import face_of
from services.intake import views
from services.intake.after import sheets
from services.intake.after.forms import DecisionForm, ExtendForm
from services.intake.after.http import copy_context
from services.intake.data_requests import domain, store, usecases
from services.intake.data_requests.domain import State
from services.intake.usecases import Intake

Office = Annotated[Session, Depends(staff(Role.OFFICE))]
DONE: Mapping[str, str] = {
    "quyet-dinh": "Đã ghi quyết định; người yêu cầu được báo.",
    "gia-han": "Đã gia hạn; người yêu cầu được báo hạn mới.",
    "xong": "Đã ghi nhận thực hiện xong.",
}
CONFLICT = "Yêu cầu này không còn ở bước đó; điều vừa nhập chưa được ghi."
STEPS: Mapping[str, str] = {
    State.RECEIVED.value: "Tiếp nhận yêu cầu",
    State.GRANTED.value: "Đồng ý",
    State.PARTLY.value: "Đồng ý một phần",
    State.REFUSED.value: "Không thực hiện",
    State.DONE.value: "Thực hiện xong",
    domain.TO_EXTEND: "Gia hạn",
}


def router(intake: Intake, templates: Templates, forget: usecases.Forget) -> APIRouter:
    """`/{agency}/tiep-nhan/yeu-cau-du-lieu…`, for the office alone."""
    desk = _Desk(intake, templates, forget)
    routes = APIRouter(prefix="/{agency}/tiep-nhan/yeu-cau-du-lieu", include_in_schema=False)
    routes.get("")(desk.requests)
    routes.get("/{request_id}")(desk.request)
    routes.get("/{request_id}/ban-sao")(desk.copy)
    routes.post("/{request_id}/quyet-dinh")(desk.decide)
    routes.post("/{request_id}/gia-han")(desk.extend)
    routes.post("/{request_id}/xong")(desk.finish)
    return routes


class _Desk:
    def __init__(self, intake: Intake, templates: Templates, forget: usecases.Forget) -> None:
        self._intake = intake
        self._templates = templates
        self._forget = forget

    async def requests(self, request: Request, session: Office, agency: str, trang: int = 1) -> Response:  # noqa: ARG002
        """What is to be done, the most urgent first, and what has been done."""
        requests, now = self._intake.requests.collection, self._intake.clock()
        total = await store.count_to_do(requests, agency)
        pages = max(1, -(-total // store.PAGE))
        page = min(max(trang, 1), pages)
        to_do = await store.to_do(requests, agency, skip=(page - 1) * store.PAGE)
        closed = await store.closed(requests, agency)
        return self._page(
            request,
            agency,
            "data_requests/list.html",
            to_do=[(row, views.request_view(row, now)) for row in to_do],
            closed=[(row, views.request_view(row, now)) for row in closed],
            total=total,
            page=page,
            pages=pages,
        )

    async def request(self, request: Request, session: Office, agency: str, request_id: UUID) -> Response:  # noqa: ARG002
        """One request with its clocks and what may be decided."""
        return await self._shown(request, agency, request_id)

    async def copy(self, request: Request, session: Office, agency: str, request_id: UUID) -> Response:
        """The copy to print and hand over. What is sealed is in it for those alone who are named for it (D6)."""
        asked = await self._intake.requests.get(request_id, agency)
        document = await sheets.by_id(self._intake, agency, asked["registration"])
        agreed = (*domain.AGREED, State.DONE)
        if document is None or document["status"] == "erased" or asked["what"] != "see" or domain.state_of(asked) not in agreed:
            raise NotFound("copy")
        case = await self._intake.projections.case(agency, document["_id"])
        questions = await self._intake.projections.questions(agency, document["_id"])
        sealed = session.may_read_sealed
        held = usecases.copy_of(document, case, questions, [asked], sealed=sealed)
        # A section without its text would say which one is sealed.
        held["sections"] = [section for section in held["sections"] if section["text"] is not None]
        context = copy_context(self._intake.agency(agency), document, held)
        return self._page(request, agency, "data_requests/copy.html", **context)

    async def decide(self, request: Request, session: Office, agency: str, request_id: UUID) -> Response:
        """Grant it, in part, or refuse it."""

        async def act(acting: Acting, typed: Submitted) -> None:
            form = typed.parse(DecisionForm)
            await usecases.decide(self._intake, acting, request_id, State(form.decision), form.reason)

        return await self._act(request, session, agency, request_id, "quyet-dinh", act)

    async def extend(self, request: Request, session: Office, agency: str, request_id: UUID) -> Response:
        """More time, once."""

        async def act(acting: Acting, typed: Submitted) -> None:
            await usecases.extend(self._intake, acting, request_id, typed.parse(ExtendForm).why)

        return await self._act(request, session, agency, request_id, "gia-han", act)

    async def finish(self, request: Request, session: Office, agency: str, request_id: UUID) -> Response:
        """Handed over, or deleted now."""

        async def act(acting: Acting, _typed: Submitted) -> None:
            await usecases.finish(self._intake, acting, request_id, self._forget)

        return await self._act(request, session, agency, request_id, "xong", act)

    async def _act(
        self,
        request: Request,
        session: Session,
        agency: str,
        request_id: UUID,
        what: str,
        act: Callable[[Acting, Submitted], Awaitable[None]],
    ) -> Response:
        typed = await read_form(request)
        acting = Acting(agency, session.username, self._intake.clock(), current_trace())
        try:
            await act(acting, typed)
        except Invalid as error:
            return await self._shown(request, agency, request_id, 422, form=what, values=typed.values, errors=error.errors)
        except Conflict:
            return await self._shown(request, agency, request_id, 409, form=what, values=typed.values, warning=CONFLICT)
        return RedirectResponse(f"/{agency}/tiep-nhan/yeu-cau-du-lieu/{request_id}?xong={what}", 303)

    async def _shown(self, request: Request, agency: str, request_id: UUID, status: int = 200, **context: Any) -> Response:
        asked = await self._intake.requests.get(request_id, agency)
        now = self._intake.clock()
        state = domain.state_of(asked)
        shown: dict[str, Any] = {
            "asked": asked,
            "view": views.request_view(asked, now),
            "registrant": (asked.get("person") or {}).get("name", ""),
            "may_decide": state is State.RECEIVED,
            "may_extend": domain.is_open(asked) and not asked["extended"] and now < asked["completion"]["due_at"],
            "may_finish": state in domain.AGREED,
            "may_copy": asked["what"] == "see" and state in (*domain.AGREED, State.DONE),
            "timeline": [(s["at"], STEPS[s["state"]], "") for s in asked["steps"]],
            "form": "",
            "warning": "",
            "flash": DONE.get(request.query_params.get("xong", "")),
        }
        return self._page(request, agency, "data_requests/request.html", status=status, **(shown | context))

    def _page(self, request: Request, agency: str, name: str, **context: Any) -> Response:
        return self._templates.page(request, name, agency=face_of(self._intake.agency(agency)), **context)
