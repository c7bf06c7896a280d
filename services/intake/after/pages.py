"""The tracking page and what hangs on it: who looks, what is shown, what was said. Shared by the look-up and the acts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from pymongo.errors import PyMongoError
from starlette.responses import Response

from contracts.model import CaseState
from kit.agency import Agency, Contacts
from kit.errors import NotFound
from kit.feedback import FeedbackGroups
from kit.mongo import Document, is_transient
from kit.web import Templates
from kit.web.faces import face_of
from services.intake import views
from services.intake.after import domain, sheets, usecases
from services.intake.after.domain import Mode
from services.intake.after.session import Sessions, Visit
from services.intake.data_requests import domain as requests_domain
from services.intake.data_requests import store as requests_store
from services.intake.domain import Dialogue, Plan
from services.intake.feedback import views as feedback_views
from services.intake.usecases import Intake

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
    """Shows a registration, or feedback, to whoever typed its code."""

    def __init__(self, intake: Intake, templates: Templates, groups: FeedbackGroups) -> None:
        self._intake = intake
        self._templates = templates
        self._groups = groups
        self.sessions = Sessions(intake.settings.session_secret, intake.clock, secure=intake.settings.session_secure)

    async def page(self, request: Request, profile: Agency, document: Document, visit: Visit) -> Response:
        """What became of it, and what may be done with it; the visit goes on for its time. What came as feedback, or is treated
        as such now, has a page of its own (D3).
        """
        case = await self._intake.projections.case(profile.code, document["_id"])
        as_feedback = feedback_views.is_of_feedback(document) or feedback_views.is_feedback(case)
        template, context_of = (
            ("feedback_tracking.html", self._feedback) if as_feedback else ("tracking.html", self._registration)
        )
        known = await self._known(profile, document, case)
        context = {**self._common(document, known), **context_of(document, known)}
        said = DONE.get(request.query_params.get("xong", ""))
        return self.shown(request, profile, template, visit, document=document, flash=said, **context)

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
        common = {"csrf": token, "here": here, "home": f"{here}/phieu", "desk": False}
        response = self._templates.page(
            request, name, agency=face_of(profile), status=status, headers=headers, **(common | context)
        )
        if visit:
            self.sessions.keep(response, visit)
        return response

    async def _known(self, profile: Agency, document: Document, case: CaseState | None) -> "_Known":
        intake = self._intake
        questions = await intake.projections.questions(profile.code, document["_id"])
        requests = await requests_store.of_registration(intake.requests.collection, profile.code, document["_id"])
        plan = await known_plan(intake, profile.code, usecases.plan_of(document, case))
        situation = usecases.situation_of(intake, document, case, questions, plan)
        titles = sheets.titles_of(profile, document)
        modes = {no: domain.mode(document, no, situation) for no in titles}
        return _Known(situation, plan, requests, titles, modes, profile.contacts)

    def _common(self, document: Document, known: "_Known") -> dict[str, Any]:
        """What both pages show."""
        situation, case = known.situation, known.situation.case
        return {
            "invitation": views.invitation_words(case),
            "attendance": views.attendance_words(case) or views.reply_words(domain.valid_reply(document, situation)),
            "files": document.get("files", ()),
            "way": views.WAYS.get(document["preferred_way"], ""),
            "may_change": domain.may_change(document),
            "may_withdraw": bool(domain.withdrawable(document, situation)),
            "may_reply": domain.may_reply(document, situation),
            "requests": [views.request_view(request, situation.now) for request in known.requests],
            "may_see_copy": may_see_copy(known.requests),
            "is_erased": document["status"] == "erased",
        }

    def _registration(self, document: Document, known: "_Known") -> dict[str, Any]:
        situation, case, plan = known.situation, known.situation.case, known.plan
        dialogue = plan.dialogue(case.dialogue) if plan and case and case.dialogue else None
        return {
            "case_words": views.case_words(document, case, situation.questions.values()),
            "stage": views.stage_words(document, case),
            "questions": views.question_views(document, situation.questions, situation.now, known.modes, feedback_views.any_view),
            "unfilled": [(no, title) for no, title in known.titles.items() if known.modes[no] is Mode.NEW],
            "dialogue": known.dialogue_view(dialogue),
            "channel": views.CHANNELS[document["channel"]],
            "decide_by": views.decide_by_words(document) if case is None or case.status == "late" else "",
            "timeline": views.timeline(document, case, situation.questions),
        }

    def _feedback(self, document: Document, known: "_Known") -> dict[str, Any]:
        situation, case, plan = known.situation, known.situation.case, known.plan
        of_feedback = feedback_views.is_of_feedback(document)
        dialogue = plan.dialogue(case.dialogue) if plan and case and case.dialogue else None
        in_dialogue = dialogue is not None and not feedback_views.is_feedback(case)
        shown = feedback_views.parts_of(document, situation.questions, situation.now, known.modes)
        return {
            "was_registration": not of_feedback,
            "group": "" if document.get("group_unknown") else self._groups.label(document.get("group")),
            "channel": (feedback_views if of_feedback else views).CHANNELS[document["channel"]],
            "case_words": (views.case_words(document, case) if in_dialogue else feedback_views.case_words(document, case, shown)),
            "stage": feedback_views.stage_words(document),
            "questions": shown,
            "dialogue": known.dialogue_view(dialogue) if in_dialogue else None,
            "timeline": feedback_views.timeline(document, case, situation.questions),
        }


@dataclass(frozen=True, slots=True)
class _Known:
    """What a page shows, as it was read."""

    situation: domain.Situation
    plan: Plan | None
    requests: list[Document]
    titles: Mapping[int, str]
    modes: Mapping[int, Mode]
    contacts: Contacts

    def dialogue_view(self, dialogue: Dialogue | None) -> views.DialogueView | None:
        """The dialogue that it belongs to, with a link to its place on a map."""
        if self.plan is None or dialogue is None:
            return None
        return views.dialogue_view(self.plan, dialogue, self.situation.now, contacts=self.contacts)


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
