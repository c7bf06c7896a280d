"""`/{agency}/tra-cuu/…`: what a registrant, or feedback's sender, does after the look-up. Every act is a POST with the visit's
token, or the code.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson
from fastapi import APIRouter, Request
from pymongo.errors import PyMongoError
from starlette.responses import RedirectResponse, Response

from contracts.model import Way
from kit.acting import Acting
from kit.agency import Agency
from kit.errors import Conflict, Invalid, NotFound, StaleForm, TooMany, Unavailable
from kit.feedback import FeedbackGroups
from kit.mongo import Document, is_transient
from kit.web import Submitted, Templates, current_trace, read_form
from kit.web.middleware import address_of
from kit.web.rendering import format_phone
from services.intake import views
from services.intake.after import domain, forms, sheets, usecases
from services.intake.after.domain import Mode, Situation
from services.intake.after.pages import Tracking, may_see_copy
from services.intake.after.session import Visit
from services.intake.codes import code_hash, parse_code
from services.intake.data_requests import store as requests_store
from services.intake.data_requests import usecases as data_requests
from services.intake.feedback import views as feedback_views
from services.intake.ratelimits import FORM, count_lookup
from services.intake.usecases import Intake

BAD_CODE = "Mã tra cứu chưa đúng hoặc không phải của một phiếu đã gửi. Xin Ông/Bà kiểm tra lại từng ký tự."
TOO_MANY = "Trong thời gian ngắn đã có quá nhiều lần gửi từ cùng một nơi. Xin Ông/Bà đợi {wait} rồi gửi lại."
CHANGED = "Tình hình của phiếu vừa thay đổi nên việc này không còn thực hiện được. Xin Ông/Bà xem lại trang tình hình xử lý."
MOVED: Mapping[Mode, str] = {
    Mode.ADD: (
        "Nội dung này vừa được chuyển đến đơn vị chuyên môn nên không sửa được nữa, chỉ bổ sung được. Phần Ông/Bà vừa ghi vẫn "
        "còn dưới đây: xin giữ lại phần muốn bổ sung rồi gửi."
    ),
    Mode.AMEND: "Nội dung này còn sửa được. Phần Ông/Bà vừa ghi vẫn còn dưới đây; khi gửi, phần này thay cho nội dung cũ.",
}

Act = Callable[[Acting, Document, Submitted], Awaitable[str]]
"""Does what was sent; returns the word for what was done. Raises as use cases do."""


@dataclass(frozen=True, slots=True)
class Task:
    """A thing the person can do: its page, whether it is possible now, what the page shows first and besides, and the act."""

    template: str
    offered: Callable[[Document, Situation], bool]
    values: Callable[[Document], Mapping[str, str]]
    context: Callable[[Agency, Document, Situation], Mapping[str, Any]]
    act: Act


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
        self._tasks: Mapping[str, Task] = {
            "lien-he": Task("after/contact.html", _may_change, _contact_values, _contact_fields, self._correct),
            "cach-nhan": Task("after/way.html", _may_change, _way_values, _ways, self._prefer),
            "rut": Task("after/withdraw.html", _may_withdraw, _nothing, _sections, self._withdraw),
            "tham-du": Task("after/attendance.html", domain.may_reply, _reply_values, _meeting, self._reply),
            "du-lieu": Task("after/data.html", _has_data, _nothing, _no_more, self._ask),
        }

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
        found = self._task(task)
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
        found = self._task(task)
        profile = self._intake.agency(agency)

        async def again(visit: Visit, document: Document, typed: Submitted, **context: Any) -> Response:
            chosen = typed.lists.get("sections", ())
            return await self._page(request, profile, visit, document, found, typed.values, chosen=chosen, **context)

        return await self._act(request, profile, found.act, again)

    async def change_section(self, request: Request, agency: str, no: int) -> Response:
        """A section changed, added to or filled."""
        profile = self._intake.agency(agency)

        async def act(acting: Acting, document: Document, typed: Submitted) -> str:
            form = typed.parse(forms.SectionForm)
            how = await usecases.change_section(self._intake, acting, document, no, form.text, form.mode)
            return "sua" if how is Mode.AMEND else "bo-sung"

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
        typed = replace(
            submitted,
            values={n: v for n, v in submitted.values.items() if n != "code"},
            lists={n: v for n, v in submitted.lists.items() if n != "code"},
        )
        acting = Acting(profile.code, "registrant", self._intake.clock(), current_trace())
        try:
            done = await act(acting, document, typed)
        except usecases.Moved as error:
            document = await sheets.again(self._intake, document)
            return await again(visit, document, typed, status=409, warning=MOVED.get(error.now, CHANGED))
        except Invalid as error:
            return await again(visit, document, typed, status=422, errors=error.errors)
        except _Confirm as asked:
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

    def _task(self, name: str) -> Task:
        found = self._tasks.get(name)
        if found is None:
            raise NotFound("task")
        return found

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
        shown: dict[str, Any] = {
            "document": document,
            "values": values,
            "warning": "",
            "errors": {},
            "asked": None,
            "chosen": (),
            "offered": task.offered(document, situation),
            "labels": {},
            "as_feedback": feedback_views.treated_as_feedback(document, situation.case),
        }
        shown |= {**task.context(profile, document, situation), **context}
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
        titles = sheets.titles_of(profile, document)
        if no not in titles:
            raise NotFound("section")
        situation = await usecases.situation(self._intake, document)
        mode = domain.mode(document, no, situation)
        section = domain.section_of(document, no)
        hidden = domain.is_hidden(situation.questions.get(domain.standing(document["_id"], no, situation.questions)))
        before = {"text": section["text"]} if section and mode is Mode.AMEND else {}
        shown: dict[str, Any] = {
            "document": document,
            "no": no,
            "title": titles[no],
            "mode": mode.value,
            "section": None if hidden else section,
            "values": before | dict(values),
            "warning": "",
            "errors": {},
        }
        return self._tracking.shown(request, profile, "after/section.html", visit, status=status, **(shown | context))

    # The acts

    async def _correct(self, acting: Acting, document: Document, typed: Submitted) -> str:
        await usecases.correct_contact(self._intake, acting, document, typed.parse(forms.ContactForm).person())
        return "lien-he"

    async def _prefer(self, acting: Acting, document: Document, typed: Submitted) -> str:
        await usecases.prefer(self._intake, acting, document, typed.parse(forms.WayForm).preferred_way)
        return "cach-nhan"

    async def _withdraw(self, acting: Acting, document: Document, typed: Submitted) -> str:
        form = typed.parse(forms.WithdrawForm)
        if form.sections and not form.confirm:
            asked = [s for s in document["sections"] if s["no"] in form.sections]
            left = {s["no"] for s in document["sections"]} - set(document.get("withdrawn_sections", ()))
            raise _Confirm(asked=asked, reason=form.reason, takes_all=left <= set(form.sections))
        await usecases.withdraw(self._intake, acting, document, form.sections, form.reason)
        return "rut"

    async def _reply(self, acting: Acting, document: Document, typed: Submitted) -> str:
        form = typed.parse(forms.ReplyForm)
        await usecases.reply(self._intake, acting, document, form.answer, form.substitute, form.reason)
        return "tham-du"

    async def _ask(self, acting: Acting, document: Document, typed: Submitted) -> str:
        form = typed.parse(forms.DataForm)
        await data_requests.ask(self._intake, acting, document, form.what, form.note)
        return "du-lieu"


class _Confirm(Exception):
    """What was chosen is shown once more before it is done."""

    def __init__(self, **context: Any) -> None:
        super().__init__("to be confirmed")
        self.context = context


_NOT_TYPED = ("code", "mode", "confirm", "sections", "what", "answer", "preferred_way")


def _to_lookup(agency: str) -> Response:
    return RedirectResponse(f"/{agency}/tra-cuu", 303)


def copy_context(profile: Agency, document: Document, held: Mapping[str, Any]) -> dict[str, Any]:
    """What a copy of the data shows, to the person and on the paper that the office hands over."""
    of_feedback = feedback_views.is_of_feedback(document)
    return {
        "document": document,
        "held": held,
        "channel": (feedback_views if of_feedback else views).CHANNELS[document["channel"]],
        "way": views.WAYS.get(document["preferred_way"], ""),
        "kind": views.KINDS[document["kind"]],
        "labels": {f.key: f.label for f in profile.form.fields} | {f.key: f.label for f in profile.form.web_fields},
        "step_words": feedback_views.STEPS if of_feedback else views.STEPS,
    }


def _may_change(document: Document, _situation: Situation) -> bool:
    return domain.may_change(document)


def _may_withdraw(document: Document, situation: Situation) -> bool:
    return bool(domain.withdrawable(document, situation))


def _has_data(document: Document, _situation: Situation) -> bool:
    return bool(document["status"] != "erased")


def _nothing(_document: Document) -> Mapping[str, str]:
    return {}


def _no_more(_profile: Agency, _document: Document, _situation: Situation) -> Mapping[str, Any]:
    return {}


def _contact_values(document: Document) -> Mapping[str, str]:
    person = document.get("person") or {}
    return {**person, "phone": format_phone(person.get("phone", ""))}


def _contact_fields(profile: Agency, document: Document, _situation: Situation) -> Mapping[str, Any]:
    form = profile.form
    if feedback_views.is_of_feedback(document):
        labels = {key: label for key, label, _ in feedback_views.CONTACT}
        return {"asked_for": feedback_views.CONTACT, "labels": labels}
    asked: list[tuple[str, str, bool]] = [(field.key, field.label, field.required) for field in form.fields]
    asked += [(field.key, field.label, False) for field in form.web_fields if field.key in ("email", "organisation")]
    return {"asked_for": asked, "labels": {key: label for key, label, _ in asked}}


def _way_values(document: Document) -> Mapping[str, str]:
    return {"preferred_way": document["preferred_way"] or ""}


def _ways(_profile: Agency, document: Document, _situation: Situation) -> Mapping[str, Any]:
    has = document.get("person") or {}
    known = {Way.EMAIL: has.get("email"), Way.POST: has.get("address"), Way.PHONE: has.get("phone")}
    return {"ways": [(way.value, views.WAYS[way] + ("" if known[way] else " (Ông/Bà chưa ghi)")) for way in Way]}


def _sections(_profile: Agency, document: Document, situation: Situation) -> Mapping[str, Any]:
    open_ones = domain.withdrawable(document, situation)
    numbered = [(str(s["no"]), f"{s['no']}. {s['title']}") for s in document["sections"] if s["no"] in open_ones]
    return {"sections": numbered}


def _reply_values(document: Document) -> Mapping[str, str]:
    reply = document.get("attendance_reply") or {}
    return {name: reply[name] for name in ("answer", "substitute", "reason") if reply.get(name)}


def _meeting(_profile: Agency, document: Document, situation: Situation) -> Mapping[str, Any]:
    dialogue = situation.dialogue
    return {
        "starts_at": dialogue.starts_at if dialogue else None,
        "place": dialogue.place if dialogue else "",
        "invitation": views.invitation_words(situation.case),
        "said": views.reply_words(domain.valid_reply(document, situation)),
    }
