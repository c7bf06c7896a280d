"""What a registrant, or feedback's sender, does afterwards: one function per command, each handed a sheet (sheets.py). The rules
are in domain.py.

What is decided from routing's published states may be a moment old; routing decides the race (`Amendment.taken_as`).
"""

from collections.abc import Collection
from uuid import UUID

from contracts.model import AttendanceReply, CaseSource, CaseState, DialogueState, Person, QuestionStateData, Way
from kit.acting import Acting
from kit.agency import Agency
from kit.errors import Conflict, Invalid, NotFound
from kit.mongo import Document
from services.intake import domain as rules
from services.intake.after import domain, sheets
from services.intake.after.domain import Mode, Situation
from services.intake.domain import MISSING, Plan, Window
from services.intake.feedback import domain as feedback
from services.intake.usecases import Intake


class Moved(Conflict):
    """The section was put before a unit (or answered) since the page was opened: what may be done to it is `now`."""

    def __init__(self, now: Mode) -> None:
        super().__init__("the section may not be changed so any more")
        self.now = now


async def situation(intake: Intake, registration: Document) -> Situation:
    """What is known of a registration now."""
    agency = registration["agency"]
    case = await intake.projections.case(agency, registration["_id"])
    questions = await intake.projections.questions(agency, registration["_id"])
    try:
        plan = await intake.announcements.plan(agency, plan_of(registration, case))
    except NotFound:
        plan = None
    return situation_of(intake, registration, case, questions, plan)


def plan_of(registration: Document, case: CaseState | None) -> str:
    """The plan it belongs to; of feedback none, until it is taken into a dialogue (D3)."""
    return registration["plan"] or (case.plan if case else "")


def situation_of(
    intake: Intake, registration: Document, case: CaseState | None, questions: dict[UUID, QuestionStateData], plan: Plan | None
) -> Situation:
    """The same, of what a page has read already."""
    now = intake.clock()
    dialogue: DialogueState | None = None
    takes_sections = sheets.source_of(registration) is CaseSource.FEEDBACK
    if plan is not None:
        chosen = (case.dialogue if case else None) or registration["dialogue"]
        found = plan.dialogue(chosen) if chosen else None
        takes_sections |= (rules.window(plan, found, now) if found else rules.place(plan, now).window) is Window.OPEN
        dialogue = found.state if found else None
    return Situation(now, case, questions, dialogue, takes_sections)


async def change_section(intake: Intake, acting: Acting, registration: Document, no: int, text: str, offered: Mode) -> Mode:
    """Change a section's text, add to it, or fill it. Raises `Moved` when the page offered what is not possible any more,
    `NotFound` for a section the form does not have, `Invalid`.
    """
    titles = sheets.titles_of(intake.agency(acting.agency), registration)
    if no not in titles:
        raise NotFound("section")
    now = domain.mode(registration, no, await situation(intake, registration))
    # Pressed twice, the second finds filled what the first filled: the text itself says that it is the same.
    if now != offered and not (offered is Mode.NEW and now in (Mode.AMEND, Mode.ADD)):
        raise Moved(now)
    await sheets.change(intake, registration, lambda d: domain.changed_section(d, acting, no, titles[no], text, offered))
    return offered


BLANK = "Xin ghi ít nhất họ và tên, hoặc một cách liên hệ."


async def correct_contact(intake: Intake, acting: Acting, registration: Document, person: Person) -> None:
    """Another name, address, telephone or e-mail. Raises `Invalid` for what the form insists on; where staff write it down,
    what is missing stays flagged and only a blank contact is refused (D3).
    """
    missing = _missing(intake.agency(acting.agency), registration, person)
    if missing and acting.asked is None:
        raise Invalid(missing)
    if person == Person():
        raise Invalid({"name": BLANK})
    of_feedback = sheets.source_of(registration) is CaseSource.FEEDBACK
    absent = list(missing) if of_feedback else [name for name in Person.model_fields if not getattr(person, name)]
    incomplete = [*absent, "sections", "read_back"]  # of these a contact puts nothing right
    await sheets.change(intake, registration, lambda d: domain.corrected(d, acting, person, incomplete))


def _missing(agency: Agency, registration: Document, person: Person) -> dict[str, str]:
    """Of a registration what its form insists on; of feedback what the law asks for (NĐ 20/2008 art. 7)."""
    if sheets.source_of(registration) is CaseSource.FEEDBACK:
        return {name: feedback.MISSING[name] for name in feedback.missing_contact(person)}
    return {name: MISSING[name] for name in agency.form.required if not getattr(person, name)}


NO_EMAIL = "Sở chưa có địa chỉ thư điện tử của Ông/Bà. Xin Ông/Bà bổ sung thông tin liên hệ trước."
NO_ADDRESS = "Sở chưa có địa chỉ của Ông/Bà. Xin Ông/Bà bổ sung thông tin liên hệ trước."
NO_PHONE = "Sở chưa có số điện thoại của Ông/Bà. Xin Ông/Bà bổ sung thông tin liên hệ trước."
_NEEDED = {Way.EMAIL: ("email", NO_EMAIL), Way.POST: ("address", NO_ADDRESS), Way.PHONE: ("phone", NO_PHONE)}


async def prefer(intake: Intake, acting: Acting, registration: Document, way: Way | None) -> None:
    """By which way the person wishes to be told. Raises `Invalid` when the form holds nothing to do it with."""
    if way is not None and not registration["person"][_NEEDED[way][0]]:
        raise Invalid({"preferred_way": _NEEDED[way][1]})
    await sheets.change(intake, registration, lambda d: domain.preferred(d, acting, way))


async def withdraw(intake: Intake, acting: Acting, registration: Document, sections: Collection[int], reason: str) -> None:
    """Take sections back. Raises `Conflict` when one has been answered meanwhile, `Invalid` when none was chosen."""
    if not sections:
        raise Invalid({"sections": "Xin Ông/Bà chọn ít nhất một nội dung."})
    still_open = domain.withdrawable(registration, await situation(intake, registration))
    await sheets.change(intake, registration, lambda d: domain.withdrawn(d, acting, sections, reason, still_open))


async def reply(
    intake: Intake, acting: Acting, registration: Document, answer: str, substitute: str = "", reason: str = ""
) -> None:
    """Say whether one comes to the meeting as it is dated now. Raises `Conflict` when it is too late, `Invalid`."""
    now = await situation(intake, registration)
    if not domain.may_reply(registration, now) or now.case is None or now.dialogue is None:
        raise Conflict("no invitation waits for an answer")
    if answer == "substitute" and not substitute:
        raise Invalid({"substitute": "Xin Ông/Bà ghi họ tên người dự thay."})
    said = AttendanceReply.model_validate(
        {
            "at": acting.now,
            "answer": answer,
            "substitute": substitute if answer == "substitute" else "",
            "reason": reason if answer == "absent" else "",
            "dialogue": now.case.dialogue,
            "starts_at": now.dialogue.starts_at,
        }
    )
    await sheets.change(intake, registration, lambda d: domain.replied(d, acting, said))
