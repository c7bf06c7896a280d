"""The registration form, its receipt and the tracking page; the rest of the public site is in site/."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from fastapi import APIRouter, Request
from pymongo.errors import PyMongoError
from starlette.responses import RedirectResponse, Response

from kit.acting import Acting
from kit.agency import Agency, WebField
from kit.clock import format_date_in_words, local_date
from kit.errors import Invalid, TooMany
from kit.feedback import FeedbackGroups
from kit.mongo import is_transient
from kit.web import Submitted, Templates, current_trace, read_form
from kit.web.faces import face_of
from kit.web.middleware import address_of
from services.intake import domain, printing, summary, views
from services.intake.after import sheets
from services.intake.after.pages import Tracking
from services.intake.attachments.domain import FIELD
from services.intake.attachments.usecases import Attached, file_rows
from services.intake.codes import code_hash, parse_code
from services.intake.domain import Placement, Plan, Window
from services.intake.formflow import AS_IT_IS, Hindrances, Shown, count_step, taken
from services.intake.forms import OF_THE_BODY, Step, WebForm, carried, step_of, web_key
from services.intake.ratelimits import REQUEST, count_lookup
from services.intake.usecases import Intake, Receipt, check, check_whole, not_yet_open, register

_NONCE = re.compile(r"[A-Za-z0-9_-]{16,64}")
BAD_CODE = "Mã tra cứu chưa đúng. Mã gồm 16 ký tự, xin Ông/Bà kiểm tra lại từng ký tự."
UNKNOWN_CODE = "Không tìm thấy phiếu với mã này. Xin Ông/Bà kiểm tra lại mã, hoặc gọi Văn phòng Sở để được giúp đỡ."
_SEND_AGAIN = "Nội dung Ông/Bà đã nhập vẫn còn trên trang này: xin đợi {wait} rồi bấm gửi lần nữa."
_HINDRANCES = Hindrances(
    unavailable="Hệ thống tạm thời gián đoạn nên phiếu chưa được ghi nhận. " + _SEND_AGAIN.format(wait="ít giây"),
    no_scanner=(
        "Hệ thống tạm thời chưa kiểm tra được tệp đính kèm nên phiếu chưa được ghi nhận. Nội dung Ông/Bà đã nhập vẫn còn trên "
        "trang này: xin đợi ít phút, chọn lại tệp rồi bấm gửi lần nữa, hoặc gửi phiếu không kèm tệp."
    ),
    too_many=(
        "Trong thời gian ngắn đã có quá nhiều phiếu gửi từ cùng một nơi hoặc với cùng thông tin liên hệ nên lần gửi này chưa "
        "được ghi nhận. " + _SEND_AGAIN
    ),
    too_many_of_all="Hệ thống đang nhận rất nhiều phiếu cùng lúc nên lần gửi này chưa được ghi nhận. " + _SEND_AGAIN,
)
TOO_MANY_LOOKUPS = "Trong thời gian ngắn đã có quá nhiều lượt tra cứu. Xin Ông/Bà đợi {wait} rồi tra cứu lại."


def router(intake: Intake, templates: Templates, groups: FeedbackGroups) -> APIRouter:
    """The public pages; below them nothing else of the service's addresses may be registered. `groups`: the words for the content
    groups of feedback, whose code is looked up here too.
    """
    pages = _Pages(intake, templates, groups)
    routes = APIRouter(include_in_schema=False)
    get, post = routes.get, routes.post
    get("/{agency}/dang-ky/{plan}")(pages.form)
    post("/{agency}/dang-ky/{plan}")(pages.submit)
    get("/{agency}/tra-cuu")(pages.lookup)
    post("/{agency}/tra-cuu")(pages.tracking)
    return routes


class _Pages:
    """The endpoints. FastAPI fills in path parameters by name; everything typed comes through `read_form`."""

    def __init__(self, intake: Intake, templates: Templates, groups: FeedbackGroups) -> None:
        self._intake = intake
        self._templates = templates
        self._tracking = Tracking(intake, templates, groups)

    async def form(self, request: Request, agency: str, plan: str) -> Response:
        """The form to fill in."""
        profile = self._intake.agency(agency)
        found = await self._intake.announcements.plan(agency, plan)
        return self._form(request, profile, plan, found, {"nonce": secrets.token_urlsafe(16)})

    async def submit(self, request: Request, agency: str, plan: str) -> Response:
        """What a button of the form or of its summary asks for. To what was sent the answer is the receipt itself; wherever
        something is in the way, the form comes again with everything that was typed and uploaded.
        """
        profile = self._intake.agency(agency)
        submitted = await read_form(request)
        values = with_nonce(submitted)
        step = step_of(submitted)
        if step is Step.AGAIN:
            return await self._form_of_the_same_body(request, profile, plan, values)

        async def act(attached: Attached) -> Response:
            if step is not Step.SEND:
                return await self._not_yet_sent(request, profile, plan, submitted, values, attached, step)
            receipt = await self._register(profile, plan, submitted, values["nonce"], attached)
            if receipt.document["status"] == "erased":  # the page of a receipt was loaded again
                return RedirectResponse(f"/{agency}/tra-cuu", 303)
            return self._page(request, profile, "receipt.html", **receipt_context(profile, receipt))

        async def again(shown: Shown) -> Response:
            return self._form(request, profile, plan, await self._known_plan(agency, plan), values, shown)

        def count() -> None:
            count_step(self._intake.limits, address_of(request.scope), submitted, step)

        attachments = self._intake.attachments
        return await taken(attachments, agency, submitted, values["nonce"], act, again, _HINDRANCES, step=step, count=count)

    async def _register(self, profile: Agency, plan: str, submitted: Submitted, nonce: str, attached: Attached) -> Receipt:
        submission = _submission(profile, plan, submitted, attached)
        key = web_key(nonce, domain.payload_hash(submission))
        return await register(self._intake, self._acting(profile), key, submission, vouching=submitted.vouching)

    def _acting(self, profile: Agency) -> Acting:
        return Acting(profile.code, "registrant", self._intake.clock(), current_trace())

    async def _not_yet_sent(
        self,
        request: Request,
        profile: Agency,
        plan: str,
        submitted: Submitted,
        values: Mapping[str, str],
        attached: Attached,
        step: Step,
    ) -> Response:
        """The summary to check, or from there the form to change."""
        if step is Step.CHANGE:
            found = await self._known_plan(profile.code, plan)
            return self._form(request, profile, plan, found, values, Shown(attached.errors, attached))
        submission = _submission(profile, plan, submitted, attached)
        await check(self._intake, self._acting(profile), submission)
        found = await self._intake.announcements.plan(profile.code, plan)
        now = self._intake.clock()
        placement = _placement(found, submission.dialogue, now)
        return self._page(
            request,
            profile,
            "summary.html",
            form_address=f"/{profile.code}/dang-ky/{plan}",
            placement=placement,
            dialogue=views.dialogue_view(found, placement.dialogue, now) if placement.dialogue else None,
            facts=summary.facts(profile, submission),
            sections=summary.sections(profile, submission),
            attached=attached,
            consent=profile.privacy.consent,
            carried=carried(submitted, values["nonce"]),
        )

    async def _form_of_the_same_body(self, request: Request, profile: Agency, plan: str, values: Mapping[str, str]) -> Response:
        """A new form with what the sender of the last one said of the body it represents; sent by POST, so in no address."""
        self._intake.limits.count(REQUEST, address_of(request.scope))
        found = await self._intake.announcements.plan(profile.code, plan)
        body = {name: values[name] for name in OF_THE_BODY if values.get(name)}
        return self._form(request, profile, plan, found, {"nonce": secrets.token_urlsafe(16), **body})

    async def lookup(self, request: Request, agency: str) -> Response:
        """Where the tracking code is typed in; who has done so goes on from here."""
        profile = self._intake.agency(agency)
        left = "Đã kết thúc xem. Người dùng máy này sau Ông/Bà không xem được phiếu." if "xong" in request.query_params else None
        visiting = self._tracking.sessions.read(request, agency) is not None
        return self._page(request, profile, "lookup.html", visiting=visiting, flash=left)

    async def tracking(self, request: Request, agency: str) -> Response:
        """What became of the registration, or the feedback, of a code. The code travels in the body alone."""
        profile = self._intake.agency(agency)
        submitted = await read_form(request)
        typed = submitted.values.get("code", "")[:100]
        try:
            count_lookup(self._intake.limits, address_of(request.scope))
        except TooMany as error:
            again, errors = error.retry_after, {"code": TOO_MANY_LOOKUPS.format(wait=views.waiting(error.retry_after))}
            headers = {"Retry-After": str(again)}
            return self._page(
                request,
                profile,
                "lookup.html",
                status=429,
                headers=headers,
                values={"code": typed},
                errors=errors,
            )
        code = parse_code(typed)
        document = await sheets.by_code(self._intake, agency, code_hash(code or typed))
        if document is None and (held := await self._intake.held.by_code(agency, code_hash(code or typed))) is not None:
            return self._page(request, profile, "moderation/tracking.html", document=held)
        if document is None:
            errors = {"code": BAD_CODE if code is None else UNKNOWN_CODE}
            return self._page(request, profile, "lookup.html", status=404 if code else 422, values={"code": typed}, errors=errors)
        return await self._tracking.page(request, profile, document, self._tracking.sessions.new(agency, document["_id"]))

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
        shown: Shown = AS_IT_IS,
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
            status=shown.status,
            headers=shown.headers,
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
            errors=_in_order(shown.errors, labels),
            warning=shown.warning,
            attached=shown.attached,
            allowed=self._intake.attachments.allowed,
            asks_participation=plan is None or domain.asks_participation(plan, now),
            resend=shown.resend,
            fresh=request.method == "GET",
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
        "titles": profile.form.titles,
        "files": file_rows(document.get("files", ())),
    }


def pdf(content: bytes, name: str) -> Response:
    """A PDF that browsers show."""
    return Response(content, media_type="application/pdf", headers={"Content-Disposition": f'inline; filename="{name}"'})


def with_nonce(submitted: Submitted) -> dict[str, str]:
    """What was typed, with a nonce in any case: it names the page that was sent, so that a double click is one registration."""
    nonce = submitted.values.get("nonce", "")
    return {**submitted.values, "nonce": nonce if _NONCE.fullmatch(nonce) else secrets.token_urlsafe(16)}


def _submission(profile: Agency, plan: str, submitted: Submitted, attached: Attached) -> domain.Submission:
    """What was typed and attached. Raises `Invalid` with everything that is wrong with either."""
    try:
        submission = submitted.parse(WebForm).submission(plan, attached.files)
    except Invalid as error:
        raise Invalid(_all_errors(profile, plan, submitted, error.errors) | attached.errors) from None
    if attached.errors:
        raise Invalid(check_whole(profile, submission) | attached.errors)
    return submission


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


def _choices(plan: Plan, now: datetime) -> tuple[tuple[str, str], ...]:
    """Open dialogues to choose from, when there are several."""
    found = [d for d in plan.dialogues if domain.window(plan, d, now) is Window.OPEN]
    if len(found) < 2:
        return ()
    return tuple((d.id, f"Lần {d.state.ordinal}: {views.when(d.state)}{' (đã đủ chỗ)' if d.is_full else ''}") for d in found)


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
    others = {
        "participation": "Cách dự Hội nghị",
        FIELD: "Tệp đính kèm",
        "consent": "Đồng ý",
        "read_back": "Đọc lại cho người gọi",
    }
    return labels | sections | {"sections": "Nội dung đăng ký"} | others
