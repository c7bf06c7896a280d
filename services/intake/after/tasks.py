"""What can be done with a sheet, one page for each: whether it is possible now, what its page shows, and the act. The person
does it (http.py), or staff at the person's request (desk.py); the templates are the same.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from contracts.model import Way
from kit.acting import Acting
from kit.agency import Agency
from kit.errors import NotFound
from kit.mongo import Document
from kit.web import Submitted
from kit.web.rendering import format_phone
from services.intake import views
from services.intake.after import domain, forms, sheets, usecases
from services.intake.after.domain import Mode, Situation
from services.intake.data_requests import usecases as data_requests
from services.intake.feedback import views as feedback_views
from services.intake.usecases import Intake

CHANGED = "Tình hình của phiếu vừa thay đổi nên việc này không còn thực hiện được. Xin Ông/Bà xem lại trang tình hình xử lý."
MOVED: Mapping[Mode, str] = {
    Mode.ADD: (
        "Nội dung này vừa được chuyển đến đơn vị chuyên môn nên không sửa được nữa, chỉ bổ sung được. Phần Ông/Bà vừa ghi vẫn "
        "còn dưới đây: xin giữ lại phần muốn bổ sung rồi gửi."
    ),
    Mode.AMEND: "Nội dung này còn sửa được. Phần Ông/Bà vừa ghi vẫn còn dưới đây; khi gửi, phần này thay cho nội dung cũ.",
}

Act = Callable[[Acting, Document, Submitted], Awaitable[str]]
"""Does what was sent; returns the word for what was done. Raises as use cases do, and `Confirm`."""


class Confirm(Exception):
    """What was chosen is shown once more before it is done."""

    def __init__(self, **context: Any) -> None:
        super().__init__("to be confirmed")
        self.context = context


@dataclass(frozen=True, slots=True)
class Task:
    """A thing that can be done: its page, whether it is possible now, what the page shows first and besides, and the act."""

    template: str
    offered: Callable[[Document, Situation], bool]
    values: Callable[[Document], Mapping[str, str]]
    context: Callable[[Agency, Document, Situation], Mapping[str, Any]]
    act: Act


class Tasks:
    """All tasks by the last part of their addresses, and the sections of the form, each a task by its number."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._tasks: Mapping[str, Task] = {
            "lien-he": Task("after/contact.html", _may_change, _contact_values, _contact_fields, self._correct),
            "cach-nhan": Task("after/way.html", _may_change, _way_values, _ways, self._prefer),
            "rut": Task("after/withdraw.html", _may_withdraw, _nothing, _sections, self._withdraw),
            "tham-du": Task("after/attendance.html", domain.may_reply, _reply_values, _meeting, self._reply),
            "du-lieu": Task("after/data.html", _has_data, _nothing, _no_more, self._ask),
        }

    def find(self, name: str) -> Task:
        """Raises `NotFound`."""
        found = self._tasks.get(name)
        if found is None:
            raise NotFound("task")
        return found

    async def change_section(
        self, acting: Acting, document: Document, no: int, typed: Submitted, offered: Mode | None = None
    ) -> str:
        """A section changed, added to or filled: as its page `offered`, unless given. Raises as the use case does."""
        form = typed.parse(forms.SectionForm)
        how = await usecases.change_section(self._intake, acting, document, no, form.text, offered or form.mode)
        return "sua" if how is Mode.AMEND else "bo-sung"

    async def _correct(self, acting: Acting, document: Document, typed: Submitted) -> str:
        form = forms.SpokenContactForm if acting.asked else forms.ContactForm
        await usecases.correct_contact(self._intake, acting, document, typed.parse(form).person())
        return "lien-he"

    async def _prefer(self, acting: Acting, document: Document, typed: Submitted) -> str:
        await usecases.prefer(self._intake, acting, document, typed.parse(forms.WayForm).preferred_way)
        return "cach-nhan"

    async def _withdraw(self, acting: Acting, document: Document, typed: Submitted) -> str:
        form = typed.parse(forms.WithdrawForm)
        if form.sections and not form.confirm:
            asked = [s for s in document["sections"] if s["no"] in form.sections]
            left = {s["no"] for s in document["sections"]} - set(document.get("withdrawn_sections", ()))
            raise Confirm(asked=asked, reason=form.reason, takes_all=left <= set(form.sections))
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


def task_context(
    profile: Agency, document: Document, situation: Situation, task: Task, values: Mapping[str, str]
) -> dict[str, Any]:
    """What the page of a task shows."""
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
    return {**shown, **task.context(profile, document, situation)}


def section_context(
    profile: Agency, document: Document, situation: Situation, no: int, values: Mapping[str, str]
) -> dict[str, Any]:
    """What the page of a section shows; of a sealed one not its text (D6). Raises `NotFound`."""
    titles = sheets.titles_of(profile, document)
    if no not in titles:
        raise NotFound("section")
    mode = domain.mode(document, no, situation)
    section = domain.section_of(document, no)
    hidden = domain.is_hidden(situation.questions.get(domain.standing(document["_id"], no, situation.questions)))
    before = {"text": section["text"]} if section and mode is Mode.AMEND else {}
    return {
        "document": document,
        "no": no,
        "title": titles[no],
        "mode": mode.value,
        "section": None if hidden else section,
        "values": {**before, **values},
        "warning": "",
        "errors": {},
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
