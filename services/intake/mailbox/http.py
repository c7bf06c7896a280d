"""The office's desk for mails: what waits, and the pages on which a mail becomes registrations, or feedback, beside its original
(D3).
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import RedirectResponse, Response

from kit.acting import Acting
from kit.agency import Agency
from kit.auth import Role, Session
from kit.errors import Conflict, Invalid, NotFound, Unavailable
from kit.web import Templates, current_trace, read_form, staff
from kit.web.faces import face_of
from services.intake.feedback.http import LABELS as FEEDBACK_LABELS
from services.intake.feedback.usecases import ALIKE_WITHIN, FeedbackIntake
from services.intake.feedback.views import CHANNELS
from services.intake.http import choice_pairs, labels_of
from services.intake.mailbox import views
from services.intake.mailbox.domain import CLAIMED, Document, State, is_open
from services.intake.mailbox.forms import Dismissal, MailFeedbackForm, MailForm
from services.intake.mailbox.store import PAGE
from services.intake.mailbox.usecases import (
    Mailroom,
    add_form,
    alike_as_feedback,
    alike_to,
    confirm,
    confirm_as_feedback,
    dismiss,
    judged_files,
    reopen,
)
from services.intake.views import AlikeRow, alike_rows

Office = Annotated[Session, Depends(staff(Role.OFFICE))]
Page = Annotated[int, Query(alias="trang", ge=1, le=10_000)]
ALREADY = "Đã có người giải quyết thư này trước; trang dưới đây là tình trạng hiện nay."
UNAVAILABLE = (
    "Hệ thống tạm thời gián đoạn nên thư chưa được ghi nhận. Nội dung đã nhập vẫn còn: xin đợi ít giây rồi bấm ghi nhận lần nữa."
)
ELSEWHERE = (
    "Có người đang ghi nhận thư này theo cách khác (phiếu đăng ký hoặc phản ánh, kiến nghị). Nội dung đã nhập vẫn còn: xin đợi "
    "nửa phút rồi bấm lần nữa; nếu thư đã được ghi nhận, hệ thống mở trang đã ghi nhận."
)

_FEEDBACK_LABELS: Mapping[str, str] = {
    "incoming_number": "Số đến",
    "outside_number": "Số văn bản của cơ quan chuyển đến",
    "outside_due": "Hạn cơ quan chuyển đến giao",
    **FEEDBACK_LABELS,
}


def router(room: Mailroom, feedback: FeedbackIntake, templates: Templates) -> APIRouter:
    """`/{agency}/tiep-nhan/thu-dien-tu…`, for the office alone; to be registered before the counter's own addresses."""
    routes = APIRouter(prefix="/{agency}/tiep-nhan/thu-dien-tu", include_in_schema=False)
    desk = _Desk(room, feedback, templates)
    routes.get("")(desk.mails)
    routes.get("/{mail}")(desk.mail)
    routes.get("/{mail}/thu-goc.eml")(desk.raw)
    routes.get("/{mail}/tep/{number}")(desk.file)
    routes.post("/{mail}/phieu/{number}")(desk.confirm)
    routes.get("/{mail}/phieu/{number}/phan-anh")(desk.feedback)
    routes.post("/{mail}/phieu/{number}/phan-anh")(desk.confirm_as_feedback)
    routes.post("/{mail}/phieu/{number}/khong-phai")(desk.dismiss)
    routes.post("/{mail}/them-phieu")(desk.add)
    routes.post("/{mail}/mo-lai")(desk.reopen)
    return routes


class _Desk:
    def __init__(self, room: Mailroom, feedback: FeedbackIntake, templates: Templates) -> None:
        self._room = room
        self._feedback = feedback
        self._templates = templates

    async def mails(
        self,
        request: Request,
        session: Office,  # noqa: ARG002 - it guards
        agency: str,
        xem: str = "cho",
        trang: Page = 1,
    ) -> Response:
        """The mails that wait, oldest first; or those dealt with, or machines', newest first."""
        profile = self._profile(agency)
        shown = xem if xem in views.LISTS else "cho"
        title, states = views.LISTS[shown]
        mails, count = await self._room.mails.listed(agency, states, trang, newest_first=shown != "cho")
        counts = await self._room.mails.counts(agency)
        tabs = [(name, label, sum(counts.get(s, 0) for s in of), name == shown) for name, (label, of) in views.LISTS.items()]
        return self._page(
            request,
            profile,
            "mails.html",
            title=title,
            shown=shown,
            tabs=tabs,
            mails=mails,
            on=agency in self._room.boxes,
            page=trang,
            pages=max(1, -(-count // PAGE)),
        )

    async def mail(self, request: Request, session: Office, agency: str, mail: UUID, phieu: int = 0) -> Response:  # noqa: ARG002 - it guards
        """A mail beside the form that is made of it. `phieu`: which one, from 1; 0: the first that waits."""
        profile = self._profile(agency)
        return await self._mail(request, profile, await self._room.mails.get(agency, mail), phieu - 1 if phieu > 0 else None)

    async def raw(self, session: Office, agency: str, mail: UUID) -> Response:  # noqa: ARG002 - it guards
        """The mail as it came."""
        document = await self._room.mails.get(agency, mail)
        if document.get("emptied_at"):
            raise NotFound("mail")
        return _download(await self._room.mails.file(document["raw"]), "thu-goc.eml")

    async def file(self, session: Office, agency: str, mail: UUID, number: int) -> Response:  # noqa: ARG002 - it guards
        """An attachment, from 1; always as a download."""
        document = await self._room.mails.get(agency, mail)
        if not 1 <= number <= len(document["attachments"]):
            raise NotFound("file")
        file = document["attachments"][number - 1]["file"]
        return _download(await self._room.mails.file(file), file["name"])

    async def confirm(self, request: Request, session: Office, agency: str, mail: UUID, number: int) -> Response:
        """Make a form of it a registration, then show its receipt; or the page again with what was typed, and with registrations
        that it may repeat.
        """
        profile = self._profile(agency)
        submitted = await read_form(request)
        document = await self._room.mails.get(agency, mail)
        index = number - 1
        try:
            typed = submitted.parse(MailForm)
            submission = typed.submission(typed.plan)
            if typed.anyway is None and (found := await alike_to(self._room, document, index, submission)):
                like = alike_rows(found, submission.person)
                return await self._mail(request, profile, document, index, values=submitted.values, like=like)
            acting = self._acting(profile, session)
            form = await confirm(self._room, acting, mail, index, submission, typed.incoming_number)
        except Invalid as error:
            return await self._mail(request, profile, document, index, values=submitted.values, errors=error.errors, status=422)
        except Unavailable as error:
            warning = _what_hinders(error)
            return await self._mail(request, profile, document, index, values=submitted.values, warning=warning, status=503)
        return RedirectResponse(views.case_page(agency, form), 303)

    async def feedback(self, request: Request, session: Office, agency: str, mail: UUID, number: int) -> Response:  # noqa: ARG002 - it guards
        """The mail beside the form of feedback (K2) that is to be made of it."""
        profile = self._profile(agency)
        document = await self._room.mails.get(agency, mail)
        if not 1 <= number <= len(document["forms"]):
            raise NotFound("form")
        form = document["forms"][number - 1]
        if not _waits(document, form):
            return RedirectResponse(f"/{agency}/tiep-nhan/thu-dien-tu/{mail}?phieu={number}", 303)
        return await self._as_feedback(request, profile, document, number - 1, views.feedback_values(form, document))

    async def confirm_as_feedback(self, request: Request, session: Office, agency: str, mail: UUID, number: int) -> Response:
        """Make it feedback, then show its receipt; or the page again with what was typed."""
        profile = self._profile(agency)
        submitted = await read_form(request)
        document = await self._room.mails.get(agency, mail)
        index, values = number - 1, submitted.values
        try:
            typed = submitted.parse(MailFeedbackForm)
            feedback, acting = typed.feedback(), self._acting(profile, session)
            found = [] if typed.anyway else await alike_as_feedback(self._feedback, acting, document, index, feedback)
            if found:
                like = alike_rows(found, feedback.person, CHANNELS)
                return await self._as_feedback(request, profile, document, index, values, like=like)
            form = await confirm_as_feedback(self._room, self._feedback, acting, mail, index, feedback, typed.entry)
        except Invalid as error:
            return await self._as_feedback(request, profile, document, index, values, errors=error.errors, status=422)
        except Unavailable as error:
            warning = _what_hinders(error)
            return await self._as_feedback(request, profile, document, index, values, warning=warning, status=503)
        return RedirectResponse(views.case_page(agency, form), 303)

    async def dismiss(self, request: Request, session: Office, agency: str, mail: UUID, number: int) -> Response:
        """Say that it is neither a registration form nor feedback, and why."""
        profile = self._profile(agency)
        submitted = await read_form(request)
        try:
            reason = submitted.parse(Dismissal).reason
            await dismiss(self._room, self._acting(profile, session), mail, number - 1, reason)
        except Invalid as error:
            document = await self._room.mails.get(agency, mail)
            return await self._mail(request, profile, document, number - 1, errors=error.errors, status=422)
        except Conflict:
            return await self._decided(request, profile, mail)
        return RedirectResponse(f"/{agency}/tiep-nhan/thu-dien-tu", 303)

    async def add(self, request: Request, session: Office, agency: str, mail: UUID) -> Response:
        """One more form of the same mail."""
        profile = self._profile(agency)
        try:
            index = await add_form(self._room, self._acting(profile, session), mail)
        except Conflict:
            return await self._decided(request, profile, mail)
        return RedirectResponse(f"/{agency}/tiep-nhan/thu-dien-tu/{mail}?phieu={index + 1}", 303)

    async def reopen(self, request: Request, session: Office, agency: str, mail: UUID) -> Response:
        """Put it back among those that wait."""
        profile = self._profile(agency)
        try:
            await reopen(self._room, self._acting(profile, session), mail)
        except Conflict:
            return await self._decided(request, profile, mail)
        return RedirectResponse(f"/{agency}/tiep-nhan/thu-dien-tu/{mail}", 303)

    async def _decided(self, request: Request, profile: Agency, mail: UUID) -> Response:
        document = await self._room.mails.get(profile.code, mail)
        return await self._mail(request, profile, document, None, warning=ALREADY, status=409)

    async def _mail(
        self,
        request: Request,
        profile: Agency,
        document: Document,
        index: int | None,
        *,
        values: Mapping[str, str] | None = None,
        errors: Mapping[str, str] | None = None,
        warning: str = "",
        like: Sequence[AlikeRow] = (),
        status: int = 200,
    ) -> Response:
        forms = document["forms"]
        if index is None:
            index = next((n for n, form in enumerate(forms) if is_open(form)), 0)
        if forms and not 0 <= index < len(forms):
            raise NotFound("form")
        form = forms[index] if forms and not document.get("emptied_at") else None
        plans = await self._room.intake.announcements.plans(profile.code)
        chosen = {"plan": plans[0].id} if len(plans) == 1 else {}
        read = views.values(form, document) if form else {}
        waits = form is not None and _waits(document, form)
        return self._page(
            request,
            profile,
            "mail.html",
            status=status,
            headers={"Retry-After": "5"} if status == 503 else {},
            mail=document,
            index=index,
            shown=form,
            waits=waits,
            files=await judged_files(self._room, document, index) if waits else (),
            form=profile.form,
            plans=[(plan.id, f"{plan.state.number}: {plan.state.title}") for plan in plans],
            dialogues=[(d.id, f"Lần {d.state.ordinal} năm {d.state.year}") for plan in plans for d in plan.dialogues],
            labels=labels_of(profile),
            choice_pairs=choice_pairs,
            hints=views.hints(form, document) if form else {},
            values=chosen | (read if values is None else dict(values)),
            errors=errors or {},
            warning=warning,
            like=like,
        )

    async def _as_feedback(
        self,
        request: Request,
        profile: Agency,
        document: Document,
        index: int,
        values: Mapping[str, str],
        *,
        errors: Mapping[str, str] | None = None,
        warning: str = "",
        like: Sequence[AlikeRow] = (),
        status: int = 200,
    ) -> Response:
        if not 0 <= index < len(document["forms"]):
            raise NotFound("form")
        form = document["forms"][index]
        return self._page(
            request,
            profile,
            "mail_feedback.html",
            status=status,
            headers={"Retry-After": "5"} if status == 503 else {},
            mail=document,
            index=index,
            too_long=not document.get("emptied_at") and views.is_too_long(form, document),
            files=await judged_files(self._room, document, index) if _waits(document, form) else (),
            groups=self._feedback.groups.for_staff(),
            web_fields=profile.form.web_fields,
            labels=_FEEDBACK_LABELS,
            choice_pairs=choice_pairs,
            values=values,
            errors=errors or {},
            warning=warning,
            like=like,
            alike_days=ALIKE_WITHIN.days,
        )

    def _profile(self, agency: str) -> Agency:
        return self._room.intake.agency(agency)

    def _acting(self, profile: Agency, session: Session) -> Acting:
        return Acting(profile.code, session.username, self._room.intake.clock(), current_trace())

    def _page(self, request: Request, profile: Agency, name: str, **context: Any) -> Response:
        return self._templates.page(request, name, agency=face_of(profile), views=views, **context)


def _waits(document: Document, form: Document) -> bool:
    """Whether the office is to say what becomes of this form."""
    return is_open(form) and document["state"] == State.WAITING


def _what_hinders(error: Unavailable) -> str:
    return ELSEWHERE if CLAIMED in error.args else UNAVAILABLE


def _download(content: bytes, name: str) -> Response:
    """Never shown by the browser itself: it is whatever somebody sent."""
    headers = {"Content-Disposition": f"attachment; filename=\"tep\"; filename*=UTF-8''{quote(name)}"}
    return Response(content, media_type="application/octet-stream", headers=headers)
