"""The public site: plans and dialogues, the registration form, its receipt, the tracking page."""

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any, Protocol

from fastapi import APIRouter, Request
from pymongo.errors import PyMongoError
from starlette.responses import RedirectResponse, Response

from kit.acting import Acting
from kit.agency import Agency, WebField
from kit.clock import format_date_in_words, local_date
from kit.errors import Invalid, NotFound, TooMany, Unavailable
from kit.mongo import is_transient
from kit.web import Submitted, Templates, current_trace, read_form
from kit.web.faces import face_of
from kit.web.middleware import address_of
from services.intake import domain, printing, views
from services.intake.codes import code_hash, parse_code
from services.intake.domain import Placement, Plan, Window
from services.intake.forms import WebForm, web_key
from services.intake.ratelimits import ALL_REGISTRATIONS, FORM, count_lookup
from services.intake.usecases import Intake, Receipt, check_whole, not_yet_open, register, section_titles

_NONCE = re.compile(r"[A-Za-z0-9_-]{16,64}")
_RETRY_AFTER = 5
BAD_CODE = "Mã tra cứu chưa đúng. Mã gồm 16 ký tự, xin Ông/Bà kiểm tra lại từng ký tự."
UNKNOWN_CODE = "Không tìm thấy phiếu với mã này. Xin Ông/Bà kiểm tra lại mã, hoặc gọi Văn phòng Sở để được giúp đỡ."
UNAVAILABLE = (
    "Hệ thống tạm thời gián đoạn nên phiếu chưa được ghi nhận. Nội dung Ông/Bà đã nhập vẫn còn trên trang này: "
    "xin đợi ít giây rồi bấm “Gửi phiếu đăng ký” lần nữa."
)

_SEND_AGAIN = "Nội dung Ông/Bà đã nhập vẫn còn trên trang này: xin đợi {wait} rồi bấm “Gửi phiếu đăng ký” lần nữa."
TOO_MANY = (
    "Trong thời gian ngắn đã có quá nhiều phiếu gửi từ cùng một nơi hoặc với cùng thông tin liên hệ nên lần gửi này chưa được "
    "ghi nhận. " + _SEND_AGAIN
)
TOO_MANY_OF_ALL = "Hệ thống đang nhận rất nhiều phiếu cùng lúc nên lần gửi này chưa được ghi nhận. " + _SEND_AGAIN
TOO_MANY_LOOKUPS = "Trong thời gian ngắn đã có quá nhiều lượt tra cứu. Xin Ông/Bà đợi {wait} rồi tra cứu lại."


class Tracker(Protocol):
    """Whoever else has pages for tracking codes."""

    async def tracking(
        self, request: Request, profile: Agency, hashed: bytes, registration: dict[str, Any] | None
    ) -> Response | None:
        """The page of what this code is about, if it is theirs; `registration`: what was found under it."""


def router(intake: Intake, templates: Templates, feedback: Tracker) -> APIRouter:
    """The public pages; below them nothing else of the service's addresses may be registered. `feedback` shows what became of
    feedback by its code.
    """
    pages = _Pages(intake, templates, feedback)
    routes = APIRouter(include_in_schema=False)
    get, post = routes.get, routes.post
    get("/")(pages.agencies)
    get("/{agency}")(pages.with_slash)
    get("/{agency}/")(pages.home)
    get("/{agency}/ke-hoach/{plan}")(pages.plan)
    get("/{agency}/ke-hoach/{plan}/mau-phieu.pdf")(pages.blank_form)
    get("/{agency}/doi-thoai/{dialogue}")(pages.dialogue)
    get("/{agency}/doi-thoai/{dialogue}/thong-bao.pdf")(pages.notice_file)
    get("/{agency}/dang-ky/{plan}")(pages.form)
    post("/{agency}/dang-ky/{plan}")(pages.submit)
    get("/{agency}/tra-cuu")(pages.lookup)
    post("/{agency}/tra-cuu")(pages.tracking)
    return routes


class _Pages:
    """The endpoints. FastAPI fills in path parameters by name; everything typed comes through `read_form`."""

    def __init__(self, intake: Intake, templates: Templates, feedback: Tracker) -> None:
        self._intake = intake
        self._templates = templates
        self._feedback = feedback

    async def agencies(self, request: Request) -> Response:
        """The agencies of this site."""
        return self._templates.page(request, "agencies.html", agency=None, agencies=list(self._intake.agencies.values()))

    async def with_slash(self, agency: str) -> Response:
        return RedirectResponse(f"/{self._intake.agency(agency).code}/", 303)

    async def home(self, request: Request, agency: str) -> Response:
        """Plans and dialogues: open, coming, past."""
        profile = self._intake.agency(agency)
        plans = await self._intake.announcements.plans(agency)
        now = self._intake.clock()
        shown = [(plan, [views.dialogue_view(plan, d, now) for d in plan.dialogues]) for plan in plans]
        current = [(plan, found) for plan, found in shown if not found or any(not d.past for d in found)]
        past = [d for _, found in shown for d in found if d.past]
        return self._page(request, profile, "home.html", current=current, past=past, windows=_windows(plans, now))

    async def plan(self, request: Request, agency: str, plan: str) -> Response:
        """One plan with its dialogues."""
        profile = self._intake.agency(agency)
        found = await self._intake.announcements.plan(agency, plan)
        now = self._intake.clock()
        dialogues = [views.dialogue_view(found, d, now) for d in found.dialogues]
        placement = domain.place(found, now)
        return self._page(request, profile, "plan.html", plan=found, dialogues=dialogues, placement=placement)

    async def blank_form(self, agency: str, plan: str) -> Response:
        """The printed form to fill in by hand."""
        profile = self._intake.agency(agency)
        found = await self._intake.announcements.plan(agency, plan)
        return pdf(await printing.blank_form(self._intake, profile, found), "phieu-dang-ky-doi-thoai.pdf")

    async def dialogue(self, request: Request, agency: str, dialogue: str) -> Response:
        """One dialogue: when, where, until when to register, and its conclusion."""
        profile = self._intake.agency(agency)
        plan, found = await self._dialogue(agency, dialogue)
        view = views.dialogue_view(plan, found, self._intake.clock())
        return self._page(request, profile, "dialogue.html", plan=plan, dialogue=view)

    async def notice_file(self, agency: str, dialogue: str) -> Response:
        """The public copy of the conclusion notice as issued."""
        self._intake.agency(agency)
        _, found = await self._dialogue(agency, dialogue)
        notice = found.state.notice
        if notice is None or notice.issued_on is None or notice.file is None:
            raise NotFound("notice")
        return pdf(await self._intake.files.get(notice.file), "thong-bao-ket-luan.pdf")

    async def form(self, request: Request, agency: str, plan: str) -> Response:
        """The form to fill in."""
        profile = self._intake.agency(agency)
        found = await self._intake.announcements.plan(agency, plan)
        return self._form(request, profile, plan, found, {"nonce": secrets.token_urlsafe(16)}, {})

    async def submit(self, request: Request, agency: str, plan: str) -> Response:
        """The form filled in: the answer is the receipt itself, or the form again with everything that was typed."""
        profile = self._intake.agency(agency)
        submitted = await read_form(request)
        values = with_nonce(submitted)
        try:
            self._intake.limits.count(FORM, address_of(request.scope))
            receipt = await self._register(profile, plan, submitted, values["nonce"])
        except TooMany as error:
            found = await self._known_plan(agency, plan)
            words = TOO_MANY_OF_ALL if error.what == ALL_REGISTRATIONS else TOO_MANY
            warning, again = words.format(wait=views.waiting(error.retry_after)), error.retry_after
            return self._form(request, profile, plan, found, values, {}, status=429, warning=warning, retry_after=again)
        except Invalid as error:
            found = await self._known_plan(agency, plan)
            return self._form(request, profile, plan, found, values, error.errors, status=422)
        except Unavailable:
            found = await self._known_plan(agency, plan)
            return self._form(request, profile, plan, found, values, {}, status=503, warning=UNAVAILABLE)
        return self._page(request, profile, "receipt.html", **receipt_context(profile, receipt))

    async def _register(self, profile: Agency, plan: str, submitted: Submitted, nonce: str) -> Receipt:
        try:
            submission = submitted.parse(WebForm).submission(plan)
        except Invalid as error:
            raise Invalid(_all_errors(profile, plan, submitted, error.errors)) from None
        acting = Acting(profile.code, "registrant", self._intake.clock(), current_trace())
        return await register(self._intake, acting, web_key(nonce, domain.payload_hash(submission)), submission)

    async def lookup(self, request: Request, agency: str) -> Response:
        """Where the tracking code is typed in."""
        return self._page(request, self._intake.agency(agency), "lookup.html")

    async def tracking(self, request: Request, agency: str) -> Response:
        """What became of the registration of a code. The code travels in the body alone."""
        profile = self._intake.agency(agency)
        submitted = await read_form(request)
        typed = submitted.values.get("code", "")[:100]
        try:
            count_lookup(self._intake.limits, address_of(request.scope))
        except TooMany as error:
            again, errors = error.retry_after, {"code": TOO_MANY_LOOKUPS.format(wait=views.waiting(error.retry_after))}
            headers = {"Retry-After": str(again)}
            return self._page(request, profile, "lookup.html", status=429, headers=headers, values={"code": typed}, errors=errors)
        code = parse_code(typed)
        document = await self._intake.registrations.by_code(agency, code_hash(code or typed))
        if (page := await self._feedback.tracking(request, profile, code_hash(code or typed), document)) is not None:
            return page
        if document is None:
            errors = {"code": BAD_CODE if code is None else UNKNOWN_CODE}
            return self._page(request, profile, "lookup.html", status=404 if code else 422, values={"code": typed}, errors=errors)
        return self._page(request, profile, "tracking.html", **await self._tracking_context(profile, document))

    async def _tracking_context(self, profile: Agency, document: dict[str, Any]) -> dict[str, Any]:
        case = await self._intake.projections.case(profile.code, document["_id"])
        questions = await self._intake.projections.questions(profile.code, document["_id"])
        plan = await self._known_plan(profile.code, document["plan"])
        dialogue = plan.dialogue(case.dialogue) if plan and case and case.dialogue else None
        now = self._intake.clock()
        return {
            "document": document,
            "case_words": views.case_words(document, case, questions.values()),
            "questions": views.question_views(document, questions, now),
            "invitation": views.invitation_words(case),
            "attendance": views.attendance_words(case),
            "dialogue": views.dialogue_view(plan, dialogue, now) if plan and dialogue else None,
            "channel": views.CHANNELS[document["channel"]],
            "decide_by": views.decide_by_words(document) if case is None or case.status == "late" else "",
        }

    async def _dialogue(self, agency: str, dialogue: str) -> tuple[Plan, domain.Dialogue]:
        for plan in await self._intake.announcements.plans(agency):
            if (found := plan.dialogue(dialogue)) is not None:
                return plan, found
        raise NotFound("dialogue")

    async def _known_plan(self, agency: str, plan: str) -> Plan | None:
        """The plan if it can be told now: a form is shown again even when MongoDB is down and nothing was ever read."""
        try:
            return await self._intake.announcements.plan(agency, plan)
        except PyMongoError as error:
            if not is_transient(error):
                raise
            return None

    def _form(
        self,
        request: Request,
        profile: Agency,
        plan_id: str,
        plan: Plan | None,
        values: Mapping[str, str],
        errors: Mapping[str, str],
        *,
        status: int = 200,
        warning: str = "",
        retry_after: int = _RETRY_AFTER,
    ) -> Response:
        now = self._intake.clock()
        chosen = values.get("dialogue") or None
        placement = _placement(plan, chosen, now) if plan else None
        today = local_date(now)
        labels = labels_of(profile)
        return self._page(
            request,
            profile,
            "form.html",
            status=status,
            headers={"Retry-After": str(retry_after)} if warning else {},
            form=profile.form,
            privacy=profile.privacy,
            plan_id=plan_id,
            plan=plan,
            placement=placement,
            not_yet=not_yet_open(placement) if placement and placement.window is Window.NOT_YET else "",
            dialogue=views.dialogue_view(plan, placement.dialogue, now) if plan and placement and placement.dialogue else None,
            choices=_choices(plan, now) if plan else (),
            printed=_printed(profile, plan.state.year if plan else today.year, today),
            labels=labels,
            choice_pairs=choice_pairs,
            values=values,
            errors=_in_order(errors, labels),
            warning=warning,
        )

    def _page(self, request: Request, profile: Agency, name: str, **context: Any) -> Response:
        return self._templates.page(
            request,
            name,
            agency=face_of(profile),
            **context,
        )


def receipt_context(profile: Agency, receipt: Receipt) -> dict[str, Any]:
    """What a receipt shows, on the public site and at the counter."""
    document = receipt.document
    return {
        "document": document,
        "code": receipt.code,
        "steps": views.next_steps(document),
        "decide_by": views.decide_by_words(document),
        "channel": views.CHANNELS[document["channel"]],
        "registrant": printing.registrant(document["person"]),
        "titles": section_titles(profile),
    }


def pdf(content: bytes, name: str) -> Response:
    """A PDF that browsers show."""
    return Response(content, media_type="application/pdf", headers={"Content-Disposition": f'inline; filename="{name}"'})


def with_nonce(submitted: Submitted) -> dict[str, str]:
    """What was typed, with a nonce in any case: it names the page that was sent, so that a double click is one registration."""
    nonce = submitted.values.get("nonce", "")
    return {**submitted.values, "nonce": nonce if _NONCE.fullmatch(nonce) else secrets.token_urlsafe(16)}


def _all_errors(profile: Agency, plan: str, submitted: Submitted, malformed: Mapping[str, str]) -> dict[str, str]:
    """What is malformed and, among the rest, what is missing: a person corrects a form once, not twice."""
    readable = replace(submitted, lists={n: v for n, v in submitted.lists.items() if n not in malformed}, values={})
    try:
        submission = readable.parse(WebForm).submission(plan)
    except Invalid:
        return dict(malformed)
    missing = check_whole(profile, submission)
    if any(name.startswith("sections.") for name in malformed):
        missing.pop("sections", None)
    return missing | dict(malformed)


def _in_order(errors: Mapping[str, str], labels: Mapping[str, str]) -> dict[str, str]:
    """Errors in the order of the form's fields, those of the form as a whole first, under the name ""."""
    order = {name: n for n, name in enumerate(labels, 1)}
    named = {name if name in order or name.startswith("sections.") or name == "dialogue" else "": e for name, e in errors.items()}
    return dict(sorted(named.items(), key=lambda item: order.get(item[0], 0)))


def _placement(plan: Plan, chosen: str | None, now: datetime) -> Placement:
    try:
        return domain.place(plan, now, chosen)
    except KeyError:
        return domain.place(plan, now)


def _windows(plans: Sequence[Plan], now: datetime) -> dict[str, Placement]:
    return {plan.id: domain.place(plan, now) for plan in plans}


def _choices(plan: Plan, now: datetime) -> tuple[tuple[str, str], ...]:
    """Open dialogues to choose from, when there are several."""
    found = [d for d in plan.dialogues if domain.window(plan, d, now) is Window.OPEN]
    if len(found) < 2:
        return ()
    return tuple((d.id, f"Lần {d.state.ordinal}: {views.when(d.state)}") for d in found)


def _printed(profile: Agency, year: int, today: date) -> dict[str, str]:
    """The form's texts, dated today."""
    form = profile.form
    texts = {name: getattr(form, name) or "" for name in ("title", "subtitle", "addressee", "intro", "note")}
    words = {name: form.printed(text, year=year, month=today.month) for name, text in texts.items()}
    return words | {"place_date": f"{profile.place}, {format_date_in_words(today)}"}


def choice_pairs(field: WebField) -> list[tuple[str, str]]:
    """A field's choices, as value and label."""
    return [(choice.value, choice.label) for choice in field.choices]


def labels_of(profile: Agency) -> dict[str, str]:
    """Field → its label, for the list of what has to be put right."""
    form = profile.form
    labels = {field.key: field.label for field in form.fields} | {field.key: field.label for field in form.web_fields}
    sections = {f"sections.{section.no}": f"Mục {section.no}" for section in form.sections}
    return labels | sections | {"sections": "Nội dung đăng ký", "consent": "Đồng ý"}
