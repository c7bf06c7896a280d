"""The tracking page and what hangs on it: who looks, what is shown, what was said. Shared by the look-up and the acts."""

from collections.abc import Mapping
from typing import Any

from fastapi import Request
from pymongo.errors import PyMongoError
from starlette.responses import Response

from kit.agency import Agency
from kit.errors import NotFound
from kit.mongo import Document, is_transient
from kit.web import Templates
from kit.web.faces import face_of
from services.intake import views
from services.intake.after import domain, usecases
from services.intake.after.domain import Mode
from services.intake.after.session import Sessions, Visit
from services.intake.data_requests import domain as requests_domain
from services.intake.data_requests import store as requests_store
from services.intake.domain import Plan
from services.intake.usecases import Intake, section_titles

DONE: Mapping[str, str] = {
    "sua": "Đã ghi nhận nội dung Ông/Bà sửa.",
    "bo-sung": "Đã ghi nhận nội dung Ông/Bà bổ sung.",
    "lien-he": "Đã ghi nhận thông tin liên hệ mới. Thư nào chưa gửi thì được gửi theo thông tin này.",
    "cach-nhan": "Đã ghi nhận cách Ông/Bà muốn nhận thông tin.",
    "rut": "Đã ghi nhận việc Ông/Bà rút nội dung.",
    "tham-du": "Đã ghi nhận trả lời giấy mời của Ông/Bà.",
    "du-lieu": "Đã ghi nhận yêu cầu về dữ liệu cá nhân của Ông/Bà.",
}
"""What is said after an act; an address carries the word alone."""


class Tracking:
    """Shows a registration to whoever typed its code."""

    def __init__(self, intake: Intake, templates: Templates) -> None:
        self._intake = intake
        self._templates = templates
        self.sessions = Sessions(intake.settings.session_secret, intake.clock, secure=intake.settings.session_secure)

    async def page(self, request: Request, profile: Agency, document: Document, visit: Visit) -> Response:
        """What became of the registration, and what may be done with it; the visit goes on for its time."""
        context = await self._context(profile, document)
        said = DONE.get(request.query_params.get("xong", ""))
        return self.shown(request, profile, "tracking.html", visit, document=document, flash=said, **context)

    def shown(
        self,
        request: Request,
        profile: Agency,
        name: str,
        visit: Visit | None,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        **context: Any,
    ) -> Response:
        """A page of a visit, with its token in the forms and its cookie."""
        token = self.sessions.csrf(visit) if visit else ""
        here = f"/{profile.code}/tra-cuu"
        response = self._templates.page(
            request, name, agency=face_of(profile), status=status, headers=headers, **({"csrf": token, "here": here} | context)
        )
        if visit:
            self.sessions.keep(response, visit)
        return response

    async def _context(self, profile: Agency, document: Document) -> dict[str, Any]:
        intake = self._intake
        case = await intake.projections.case(profile.code, document["_id"])
        questions = await intake.projections.questions(profile.code, document["_id"])
        requests = await requests_store.of_registration(intake.requests.collection, profile.code, document["_id"])
        plan = await known_plan(intake, profile.code, document["plan"])
        situation = usecases.situation_of(intake, document, case, questions, plan)
        dialogue = plan.dialogue(case.dialogue) if plan and case and case.dialogue else None
        titles = section_titles(profile)
        modes = {no: domain.mode(document, no, situation) for no in titles}
        return {
            "case_words": views.case_words(document, case, questions.values()),
            "stage": views.stage_words(document, case),
            "questions": views.question_views(document, questions, situation.now, modes),
            "unfilled": [(no, title) for no, title in titles.items() if modes[no] is Mode.NEW],
            "invitation": views.invitation_words(case),
            "attendance": views.attendance_words(case) or views.reply_words(domain.valid_reply(document, situation)),
            "dialogue": views.dialogue_view(plan, dialogue, situation.now) if plan and dialogue else None,
            "channel": views.CHANNELS[document["channel"]],
            "decide_by": views.decide_by_words(document) if case is None or case.status == "late" else "",
            "timeline": views.timeline(document, case, questions),
            "files": document.get("files", ()),
            "way": views.WAYS.get(document["preferred_way"], ""),
            "may_change": domain.may_change(document),
            "may_withdraw": bool(domain.withdrawable(document, situation)),
            "may_reply": domain.may_reply(document, situation),
            "requests": [views.request_view(request, situation.now) for request in requests],
            "may_see_copy": may_see_copy(requests),
            "is_erased": document["status"] == "erased",
        }


def may_see_copy(requests: list[Document]) -> bool:
    """Whether a copy of the data was granted, wholly or in part, or handed over."""
    granted = (*requests_domain.AGREED, requests_domain.State.DONE)
    return any(request["what"] == "see" and requests_domain.state_of(request) in granted for request in requests)


async def known_plan(intake: Intake, agency: str, plan: str) -> Plan | None:
    """The plan if it can be told now: a page is shown even when it cannot."""
    try:
        return await intake.announcements.plan(agency, plan)
    except NotFound:
        return None
    except PyMongoError as error:
        if not is_transient(error):
            raise
        return None
