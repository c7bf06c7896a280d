"""`/{agency}/tra-cuu/…`: what a registrant, or feedback's sender, does after the look-up. Every act is a POST with the visit's
token, or the code.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson
from fastapi import APIRouter, Request
from pymongo.errors import PyMongoError
from starlette.responses import RedirectResponse, Response

from kit.acting import Acting
from kit.agency import Agency
from kit.errors import Conflict, Invalid, NotFound, StaleForm, TooMany, Unavailable
from kit.feedback import FeedbackGroups
from kit.mongo import Document, is_transient
from kit.web import Submitted, Templates, current_trace, read_form
from kit.web.middleware import address_of
from services.intake import views
from services.intake.after import sheets, usecases
from services.intake.after.pages import Tracking, may_see_copy
from services.intake.after.session import Visit
from services.intake.after.tasks import CHANGED, MOVED, Act, Confirm, Task, Tasks, section_context, task_context
from services.intake.codes import code_hash, parse_code
from services.intake.data_requests import store as requests_store
from services.intake.data_requests import usecases as data_requests
from services.intake.feedback import views as feedback_views
from services.intake.ratelimits import FORM, count_lookup
from services.intake.usecases import Intake

BAD_CODE = "Mã tra cứu chưa đúng hoặc không phải của một phiếu đã gửi. Xin Ông/Bà kiểm tra lại từng ký tự."
TOO_MANY = "Trong thời gian ngắn đã có quá nhiều lần gửi từ cùng một nơi. Xin Ông/Bà đợi {wait} rồi gửi lại."


def router(intake: Intake, templates: Templates, groups: FeedbackGroups) -> APIRouter:
    """Below the look-up's own address, which stays in http.py. `groups`: the words for the content groups of feedback."""
    pages = _Pages(intake, templates, groups)
    routes = APIRouter(prefix="/{agency}/tra-cuu", include_in_schema=False)
    routes.get("/phieu")(pages.tracking)
    routes.post("/ket-thuc")(pages.leave)
    routes.get("/ban-sao")(pages.copy)
    routes.get("/ban-sao.json")(pages.copy_file)
    routes.get("/noi-dung/{no}")(pages.section)
    routes.post("/noi-dung/{no}")(pages.change_section)
    routes.get("/{task}")(pages.show)
    routes.post("/{task}")(pages.do)
    return routes


class _Pages:
    def __init__(self, intake: Intake, templates: Templates, groups: FeedbackGroups) -> None:
        self._intake = intake
        self._tracking = Tracking(intake, templates, groups)
        self._tasks = Tasks(intake)

    # Reading

    async def tracking(self, request: Request, agency: str) -> Response:
        """The tracking page of the visit; without one, the look-up."""
        profile = self._intake.agency(agency)
        visit, document = await self._visited(request, agency)
        if visit is None or document is None:
            return _to_lookup(agency)
        return await self._tracking.page(request, profile, document, visit)

    async def show(self, request: Request, agency: str, task: str) -> Response:
        """The page of a task."""
        found = self._tasks.find(task)
        visit, document = await self._visited(request, agency)
        if visit is None or document is None:
            return _to_lookup(agency)
        return await self._page(request, self._intake.agency(agency), visit, document, found, found.values(document))

    async def section(self, request: Request, agency: str, no: int) -> Response:
        """One section of the form, to change, to add to or to fill."""
        profile = self._intake.agency(agency)
        visit, document = await self._visited(request, agency)
        if visit is None or document is None:
            return _to_lookup(agency)
        return await self._section(request, profile, visit, document, no, {})

    async def copy(self, request: Request, agency: str) -> Response:
        """The copy of one's data, to read and print, once it was granted."""
        profile = self._intake.agency(agency)
        visit, document = await self._visited(request, agency)
        if visit is None or document is None:
            return _to_lookup(agency)
        held = await self._copy(document)
        return self._tracking.shown(request, profile, "after/copy.html", visit, **copy_context(profile, document, held))

    async def copy_file(self, request: Request, agency: str) -> Response:
        """The same as a file."""
        visit, document = await self._visited(request, agency)
        if visit is None or document is None:
            return _to_lookup(agency)
        content = orjson.dumps(await self._copy(document), option=orjson.OPT_INDENT_2)
        name = f'attachment; filename="{document["case_number"]}.json"'
        return Response(content, media_type="application/json", headers={"Content-Disposition": name})

    async def _copy(self, document: Document) -> dict[str, Any]:
        agency, _id = document["agency"], document["_id"]
        requests = await requests_store.of_registration(self._intake.requests.collection, agency, _id)
        if document["status"] == "erased" or not may_see_copy(requests):
            raise NotFound("copy")
        case = await self._intake.projections.case(agency, _id)
        questions = await self._intake.projections.questions(agency, _id)
        return data_requests.copy_of(document, case, questions, requests)

    # Acting

    async def leave(self, request: Request, agency: str) -> Response:
        """Kết thúc xem: the next one at this machine finds nothing."""
        self._intake.agency(agency)
        submitted = await read_form(request)
        visit = self._tracking.sessions.read(request, agency)
        if visit is not None and not self._tracking.sessions.csrf_matches(visit, submitted.csrf):
            raise StaleForm
        response = RedirectResponse(f"/{agency}/tra-cuu?xong=1", 303)
        self._tracking.sessions.end(response, agency)
        return response

    async def do(self, request: Request, agency: str, task: str) -> Response:
        """What was sent from the page of a task."""
        found = self._tasks.find(task)
        profile = self._intake.agency(agency)

        async def again(visit: Visit, document: Document, typed: Submitted, **context: Any) -> Response:
            chosen = typed.lists.get("sections", ())
            return await self._page(request, profile, visit, document, found, typed.values, chosen=chosen, **context)

        return await self._act(request, profile, found.act, again)

    async def change_section(self, request: Request, agency: str, no: int) -> Response:
        """A section changed, added to or filled."""
        profile = self._intake.agency(agency)

        async def act(acting: Acting, document: Document, typed: Submitted) -> str:
            return await self._tasks.change_section(acting, document, no, typed)

        async def again(visit: Visit, document: Document, typed: Submitted, **context: Any) -> Response:
            return await self._section(request, profile, visit, document, no, typed.values, **context)

        return await self._act(request, profile, act, again)

    async def _act(self, request: Request, profile: Agency, act: Act, again: Callable[..., Awaitable[Response]]) -> Response:
        """Do it, or show the page again with what was typed; who is not known any more gives the code once more."""
        submitted = await read_form(request)
        try:
            self._intake.limits.count(FORM, address_of(request.scope))
            visit, document = await self._admitted(request, profile, submitted)
        except TooMany as error:
            warning = TOO_MANY.format(wait=views.waiting(error.retry_after))
            return self._once_more(request, profile, submitted, 429, warning=warning, retry_after=error.retry_after)
        except Invalid as error:
            return self._once_more(request, profile, submitted, 422, errors=error.errors)
        except (PyMongoError, Unavailable) as error:
            return self._interrupted(request, profile, submitted, error)
        if visit is None or document is None:
            return self._once_more(request, profile, submitted, 403)
        typed = submitted.without("code")
        acting = Acting(profile.code, "registrant", self._intake.clock(), current_trace())
        try:
            done = await act(acting, document, typed)
        except usecases.Moved as error:
            document = await sheets.again(self._intake, document)
            return await again(visit, document, typed, status=409, warning=MOVED.get(error.now, CHANGED))
        except Invalid as error:
            return await again(visit, document, typed, status=422, errors=error.errors)
        except Confirm as asked:
            return await again(visit, document, typed, **asked.context)
        except Conflict:
            document = await sheets.again(self._intake, document)
            return await again(visit, document, typed, status=409, warning=CHANGED)
        except (PyMongoError, Unavailable) as error:
            return self._interrupted(request, profile, submitted, error)
        response = RedirectResponse(f"/{profile.code}/tra-cuu/phieu?xong={done}", 303)
        self._tracking.sessions.keep(response, visit)
        return response

    async def _visited(self, request: Request, agency: str) -> tuple[Visit | None, Document | None]:
        self._intake.agency(agency)
        visit = self._tracking.sessions.read(request, agency)
        if visit is None:
            return None, None
        return visit, await sheets.by_id(self._intake, agency, visit.registration)

    async def _admitted(self, request: Request, profile: Agency, submitted: Submitted) -> tuple[Visit | None, Document | None]:
        """Who acts: the visit whose token the form carries, or whoever sent the code with it. Raises `Invalid`, `TooMany`."""
        typed = submitted.values.get("code", "")[:100]
        if typed:
            count_lookup(self._intake.limits, address_of(request.scope))
            code = parse_code(typed)
            document = await sheets.by_code(self._intake, profile.code, code_hash(code or typed))
            if document is None:
                raise Invalid({"code": BAD_CODE})
            return self._tracking.sessions.new(profile.code, document["_id"]), document
        visit, document = await self._visited(request, profile.code)
        if visit is None or not self._tracking.sessions.csrf_matches(visit, submitted.csrf):
            return None, None
        return visit, document

    def _once_more(
        self,
        request: Request,
        profile: Agency,
        submitted: Submitted,
        status: int,
        *,
        warning: str = "",
        errors: Mapping[str, str] | None = None,
        retry_after: int = 0,
    ) -> Response:
        """The code is asked for, and all that was typed waits in the page."""
        return self._tracking.shown(
            request,
            profile,
            "after/again.html",
            None,
            status=status,
            headers={"Retry-After": str(retry_after)} if retry_after else {},
            typed=[(name, value) for name, value in submitted.hidden() if name != "code"],
            readable=[value for name, value in submitted.hidden() if name not in _NOT_TYPED],
            values={"code": submitted.values.get("code", "")},
            errors=errors or {},
            warning=warning,
        )

    def _interrupted(self, request: Request, profile: Agency, submitted: Submitted, error: Exception) -> Response:
        if isinstance(error, PyMongoError) and not is_transient(error):
            raise error
        warning = "Hệ thống tạm thời gián đoạn nên chưa ghi nhận được. Xin Ông/Bà đợi ít giây rồi gửi lại."
        return self._once_more(request, profile, submitted, 503, warning=warning, retry_after=5)

    async def _page(
        self,
        request: Request,
        profile: Agency,
        visit: Visit,
        document: Document,
        task: Task,
        values: Mapping[str, str],
        *,
        status: int = 200,
        **context: Any,
    ) -> Response:
        situation = await usecases.situation(self._intake, document)
        shown = task_context(profile, document, situation, task, values) | context
        return self._tracking.shown(request, profile, task.template, visit, status=status, **shown)

    async def _section(
        self,
        request: Request,
        profile: Agency,
        visit: Visit,
        document: Document,
        no: int,
        values: Mapping[str, str],
        *,
        status: int = 200,
        **context: Any,
    ) -> Response:
        situation = await usecases.situation(self._intake, document)
        shown = section_context(profile, document, situation, no, values) | context
        return self._tracking.shown(request, profile, "after/section.html", visit, status=status, **shown)


_NOT_TYPED = ("code", "mode", "confirm", "sections", "what", "answer", "preferred_way")


def _to_lookup(agency: str) -> Response:
    return RedirectResponse(f"/{agency}/tra-cuu", 303)


def copy_context(profile: Agency, document: Document, held: Mapping[str, Any]) -> dict[str, Any]:
    """What a copy of the data shows, to the person and on the paper that the office hands over."""
    of_feedback = feedback_views.is_of_feedback(document)
    steps = feedback_views.STEPS if of_feedback else views.STEPS
    return {
        "document": document,
        "held": held,
        "channel": (feedback_views if of_feedback else views).CHANNELS[document["channel"]],
        "way": views.WAYS.get(document["preferred_way"], ""),
        "kind": views.KINDS[document["kind"]],
        "labels": {f.key: f.label for f in profile.form.fields} | {f.key: f.label for f in profile.form.web_fields},
        "history": [(s["at"], views.step_words(s, steps)) for s in document["steps"] if s["state"] in steps],
    }
