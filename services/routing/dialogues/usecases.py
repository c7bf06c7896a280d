"""Commands on plans, dialogues, invitations, notices and the calendar: one function each, each one write on one document."""

import asyncio
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from string import ascii_lowercase
from typing import Any

from pymongo.errors import DuplicateKeyError

from contracts.model import FileRef, PlanState
from kit.acting import Acting
from kit.agency import Agency
from kit.backplan import BackPlanRules
from kit.calendar import WorkCalendar
from kit.documents import Document as Paper
from kit.documents import render_pdf
from kit.errors import Conflict, Invalid
from kit.mongo import Document
from kit.outbox import Change, Decide
from services.routing import numbers
from services.routing.calendars import confirmation_entry, day_off_entry, working_day_entry
from services.routing.context import Routing
from services.routing.dialogues import agenda, conclusion, domain, letters, papers, store, waves
from services.routing.dialogues.domain import Terms
from services.routing.questions import store as questions_store

MAX_SIGNED_FILE = 10 * 1024 * 1024
_PDF = "application/pdf"


# Plans


async def publish_plan(routing: Routing, acting: Acting, plan: PlanState, *, plan_id: str | None = None) -> str:
    """Publish a plan; returns its id. Raises `Invalid`, or `Conflict` when the agency has one of that number and year.

    With `plan_id` publishing twice is publishing once.
    """
    state, acts = domain.new_plan(acting, plan)
    # A dialogue's id ends in its ordinal and shares the plan's topic, so further plans of a year get a letter, never a digit.
    wanted = [plan_id] if plan_id else [f"{acting.agency}-{plan.year}{letter}" for letter in ("", *ascii_lowercase[1:])]
    for _id in wanted:
        if await routing.plans.insert(await routing.plans.new(_id, acting.agency, state, acts)):
            return _id
        known = await store.plan_numbered(routing.plans.collection, acting.agency, plan.year, plan.number)
        if known is not None and known["_id"] != plan_id:
            raise Conflict("a plan of this number exists")
    if plan_id is None:
        raise Conflict("too many plans in this year")
    return plan_id


async def edit_plan(routing: Routing, acting: Acting, plan_id: str, values: dict[str, Any], reason: str) -> None:
    """Change what a plan says. Raises `Conflict` when another plan of the year has the number."""
    try:
        await routing.plans.change(plan_id, acting.agency, domain.edit_plan(acting, values, reason))
    except DuplicateKeyError:
        raise Conflict("a plan of this number exists") from None


async def record_posting(routing: Routing, acting: Acting, plan_id: str, place: str, posted_on: date) -> None:
    """Record where plan and blank form were posted."""
    await routing.plans.change(plan_id, acting.agency, domain.add_posting(acting, place, posted_on))


# Dialogues


async def add_dialogue(routing: Routing, acting: Acting, plan_id: str, ordinal: int, terms: Terms) -> str:
    """Announce a plan's dialogue number `ordinal`; announcing it twice changes nothing. Returns its id."""
    plan = await routing.plans.get(plan_id, acting.agency)
    calendar, rules = await _reckoning(routing, acting.agency)
    state, acts = domain.new_dialogue(acting, plan, ordinal, terms, calendar, rules)
    _id = domain.dialogue_id(plan_id, ordinal)
    await routing.dialogues.insert(await routing.dialogues.new(_id, acting.agency, state, acts))
    return _id


async def change_dialogue(routing: Routing, acting: Acting, dialogue_id: str, terms: Terms, reason: str) -> None:
    """Fix or change date, place, mode, link, opening, closing or chair; everybody registered is told of the first four."""
    calendar, rules = await _reckoning(routing, acting.agency)
    await routing.dialogues.change(dialogue_id, acting.agency, domain.change_dialogue(acting, terms, reason, calendar, rules))


async def cancel_dialogue(routing: Routing, acting: Acting, dialogue_id: str, reason: str, answers_by: date) -> None:
    """Call a dialogue off; everybody is told until when the written answer comes."""
    await routing.dialogues.change(dialogue_id, acting.agency, domain.cancel_dialogue(acting, reason, answers_by))


async def hold_dialogue(routing: Routing, acting: Acting, dialogue_id: str, held_on: date) -> None:
    """Record that the meeting took place."""
    await routing.dialogues.change(dialogue_id, acting.agency, domain.hold_dialogue(acting, held_on))


async def agree_contents(routing: Routing, acting: Acting, dialogue_id: str, note: str) -> None:
    """The Director agrees contents and who is met (D8 b)."""
    await routing.dialogues.change(dialogue_id, acting.agency, domain.agree_contents(acting, note))


async def hand_report(routing: Routing, acting: Acting, dialogue_id: str) -> None:
    """The consolidated report is with the Director (D8 d)."""
    await routing.dialogues.change(dialogue_id, acting.agency, domain.hand_report(acting))


# Invitations


async def draft_wave(routing: Routing, acting: Acting, dialogue_id: str, n: int, draft: waves.WaveDraft) -> None:
    """Write the draft of wave `n`."""
    await routing.dialogues.change(dialogue_id, acting.agency, waves.draft_wave(acting, draft, n))


async def attach_signed_invitation(routing: Routing, acting: Acting, dialogue_id: str, n: int, content: bytes) -> None:
    """Put the signed PDF in place of the generated one."""
    signed = await _keep_signed(routing, acting.agency, dialogue_id, f"giay-moi-{n}-da-ky.pdf", content)
    await routing.dialogues.change(dialogue_id, acting.agency, waves.attach_signed(acting, n, signed))


async def number_wave(routing: Routing, acting: Acting, dialogue_id: str, n: int, number: str, signed_on: date) -> None:
    """Enter number and day; where the profile lets the system allot numbers, an empty one is allotted."""
    agency = routing.agencies[acting.agency]
    if not number.strip() and agency.numbering.value == "allotted":
        subject = f"invitation/{dialogue_id}/{n}"
        number = str(await numbers.allot(routing.database, acting.agency, signed_on.year, "GM", subject))
    decide = waves.number_wave(acting, n, number, signed_on, require_signed_file=agency.require_signed_file.value)
    await routing.dialogues.change(dialogue_id, acting.agency, decide)


async def issue_wave(routing: Routing, acting: Acting, dialogue_id: str, n: int) -> None:
    """Freeze the document and issue: the fan-out (fanouts.py) reaches everybody who is to be invited."""
    dialogue = await routing.dialogues.get(dialogue_id, acting.agency)
    wave = waves.find(dialogue, n)
    if wave is None or wave["number"] is None:
        raise Conflict("the invitation has no number")
    file = FileRef.model_validate(wave["signed"]) if wave["signed"] else await _freeze_invitation(routing, dialogue, wave)
    await routing.dialogues.change(dialogue_id, acting.agency, _as_read(dialogue, waves.issue_wave(acting, n, file)))


async def send_on(routing: Routing, acting: Acting, dialogue_id: str, n: int) -> None:
    """Send an issued invitation to those who came later."""
    await routing.dialogues.change(dialogue_id, acting.agency, waves.send_on(acting, n))


async def invitation_pdf(routing: Routing, dialogue: Document, wave: Document) -> bytes:
    """The giấy mời as it would be issued now; a draft carries the watermark that says so."""
    agency = routing.agencies[dialogue["agency"]]
    return await _render(routing, papers.invitation(agency, dialogue, wave))


async def invitation_file(routing: Routing, dialogue: Document, wave: Document) -> bytes:
    """What is, or would be, sent: the issued document, the signed file, else the generated one."""
    kept = wave["document"] or wave["signed"]
    if kept:
        return await routing.files.get(FileRef.model_validate(kept))
    return await invitation_pdf(routing, dialogue, wave)


async def _freeze_invitation(routing: Routing, dialogue: Document, wave: Document) -> FileRef:
    content = await invitation_pdf(routing, dialogue, wave)
    return await routing.files.put(dialogue["agency"], dialogue["_id"], f"giay-moi-{wave['n']}.pdf", _PDF, content)


# The notice


async def draft_notice(routing: Routing, agency_code: str, dialogue: Document) -> conclusion.NoticeText:
    """The notice as the recorded outcomes give it; nothing is written."""
    agency = routing.agencies[agency_code]
    cases = await questions_store.cases_of_dialogue(routing.cases.collection, agency_code, dialogue["_id"])
    questions = await questions_store.questions_of_dialogue(routing.questions.collection, agency_code, dialogue["_id"])
    return papers.draft_notice(agency, dialogue, cases, questions)


async def write_notice(
    routing: Routing, acting: Acting, dialogue_id: str, text: conclusion.NoticeText, *, no_conclusion: bool
) -> None:
    """Keep the text. Raises `Invalid` when it names somebody who registered: the notice is public (D12)."""
    cases = await questions_store.cases_of_dialogue(routing.cases.collection, acting.agency, dialogue_id)
    names = [name for case in cases if case["person"] for name in (case["person"]["name"], case["person"]["organisation"])]
    if conclusion.named_persons(text, names):
        raise Invalid({"items": "Thông báo được công khai: xin ghi “nội dung số …” thay cho tên người hoặc tổ chức đã đăng ký"})
    await routing.dialogues.change(dialogue_id, acting.agency, conclusion.write_draft(acting, text, no_conclusion=no_conclusion))


async def attach_signed_notice(routing: Routing, acting: Acting, dialogue_id: str, content: bytes) -> None:
    """Put the signed PDF in place of the generated one."""
    signed = await _keep_signed(routing, acting.agency, dialogue_id, "thong-bao-ket-luan-da-ky.pdf", content)
    await routing.dialogues.change(dialogue_id, acting.agency, conclusion.attach_signed(acting, signed))


async def number_notice(routing: Routing, acting: Acting, dialogue_id: str, number: str, signed_on: date) -> None:
    """Enter number and day of the notice, or have them allotted."""
    agency = routing.agencies[acting.agency]
    if not number.strip() and agency.numbering.value == "allotted":
        subject = f"notice/{dialogue_id}"
        number = str(await numbers.allot(routing.database, acting.agency, signed_on.year, "TB", subject))
    decide = conclusion.number(acting, number, signed_on, require_signed_file=agency.require_signed_file.value)
    await routing.dialogues.change(dialogue_id, acting.agency, decide)


@dataclass(frozen=True, slots=True)
class Unrecorded:
    """What the meeting's record still lacks before its notice can go out."""

    attendance: int
    outcomes: int

    def __bool__(self) -> bool:
        return bool(self.attendance or self.outcomes)


async def unrecorded(routing: Routing, dialogue: Document) -> Unrecorded:
    """How many of the invited have no attendance, and how many contents no outcome, recorded yet (D10, D11)."""
    cases = await questions_store.cases_of_dialogue(routing.cases.collection, dialogue["agency"], dialogue["_id"])
    questions = await questions_store.questions_of_dialogue(routing.questions.collection, dialogue["agency"], dialogue["_id"])
    items = agenda.agenda(dialogue, cases, questions)
    return Unrecorded(
        attendance=len({item.case["_id"] for item in items if item.case["attendance"] is None}),
        outcomes=sum(item.state not in letters.OUTCOMES for item in items),
    )


async def issue_notice(routing: Routing, acting: Acting, dialogue_id: str) -> None:
    """Issue the notice, or record that there is no conclusion; everybody gets the own result by fan-out (D11, D12)."""
    dialogue = await routing.dialogues.get(dialogue_id, acting.agency)
    if dialogue["notice"] is None and (lacking := await unrecorded(routing, dialogue)):
        raise Invalid(
            {
                "": f"Chưa ghi đủ diễn biến Hội nghị: {lacking.attendance} người chưa ghi có mặt hay vắng, "
                f"{lacking.outcomes} nội dung chưa ghi kết quả"
            }
        )
    written = dialogue["conclusion"]
    file: FileRef | None = None
    if written and not written["no_conclusion"] and written["number"]:
        file = FileRef.model_validate(written["signed"]) if written["signed"] else await _freeze_notice(routing, dialogue)
    await routing.dialogues.change(dialogue_id, acting.agency, _as_read(dialogue, conclusion.issue(acting, file)))


async def notice_pdf(routing: Routing, dialogue: Document) -> bytes:
    """The notice as it would be issued now."""
    return await _render(routing, papers.notice(routing.agencies[dialogue["agency"]], dialogue))


async def notice_file(routing: Routing, dialogue: Document) -> bytes:
    """What is, or would be, sent: the issued notice, the signed file, else the generated one."""
    kept = dialogue["conclusion"]["document"] or dialogue["conclusion"]["signed"]
    if kept:
        return await routing.files.get(FileRef.model_validate(kept))
    return await notice_pdf(routing, dialogue)


async def _freeze_notice(routing: Routing, dialogue: Document) -> FileRef:
    content = await notice_pdf(routing, dialogue)
    return await routing.files.put(dialogue["agency"], dialogue["_id"], "thong-bao-ket-luan.pdf", _PDF, content)


# The calendar


async def add_day_off(routing: Routing, acting: Acting, day: date, name: str, reason: str, revision: int) -> None:
    """A day off that the office adds; open deadlines are counted again (recount.py), closed ones stay (S3)."""
    _require(name=name, reason=reason)
    entry = day_off_entry(day, name.strip(), at=acting.now, by=acting.actor, reason=reason.strip())
    await routing.calendars.enter(acting, entry, revision)


async def add_working_day(routing: Routing, acting: Acting, day: date, name: str, reason: str, revision: int) -> None:
    """A day that is worked after all."""
    _require(name=name, reason=reason)
    entry = working_day_entry(day, name.strip(), at=acting.now, by=acting.actor, reason=reason.strip())
    await routing.calendars.enter(acting, entry, revision)


async def confirm_year(routing: Routing, acting: Acting, year: int, source: str, revision: int) -> None:
    """A person confirms a year's days off with the decision they rest on; it is no longer "dự kiến"."""
    _require(source=source)
    await routing.calendars.enter(acting, confirmation_entry(year, source.strip(), at=acting.now, by=acting.actor), revision)


# Helpers


def back_plan_rules(agency: Agency) -> BackPlanRules:
    """What the profile says about the steps around a meeting."""
    deadlines = agency.deadlines
    return BackPlanRules(
        answer_days=deadlines.unit_answer.days,
        answers_in_working_days=deadlines.unit_answer.counting == "working",
        report_working_days_before=deadlines.report_before_meeting.days if deadlines.report_before_meeting.enabled else None,
        invitation_working_days_before=deadlines.invitation_before_meeting.days,
        conclusion_working_days_after=deadlines.conclusion.days,
    )


async def _reckoning(routing: Routing, agency: str) -> tuple[WorkCalendar, BackPlanRules]:
    return await routing.calendars.of(agency), back_plan_rules(routing.agencies[agency])


async def _render(routing: Routing, paper: Paper) -> bytes:
    return await asyncio.to_thread(render_pdf, paper, Path(routing.settings.fonts_dir))


def _as_read(read: Document, decide: Decide) -> Decide:
    """Decide only on what was `read`: the document that goes out was made from it. Raises `Conflict` if it changed since."""

    def checked(document: Document) -> Change | None:
        change = decide(document)
        if change is not None and document["seq"] != read["seq"]:
            raise Conflict("changed while its document was made")
        return change

    return checked


async def _keep_signed(routing: Routing, agency: str, dialogue_id: str, name: str, content: bytes) -> FileRef:
    """Keep an uploaded PDF. Raises `Invalid` when it is none: the type is told by its content, never by its name."""
    if not content.startswith(b"%PDF-"):
        raise Invalid({"file": "Xin chọn tệp PDF của bản đã ký"})
    if len(content) > MAX_SIGNED_FILE:
        raise Invalid({"file": "Tệp lớn hơn 10 MB"})
    return await routing.files.put(agency, dialogue_id, name, _PDF, content)


def _require(**values: str) -> None:
    errors = {name: "Xin nhập nội dung này" for name, value in values.items() if not value.strip()}
    if errors:
        raise Invalid(errors)
