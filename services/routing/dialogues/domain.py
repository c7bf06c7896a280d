"""Plans and dialogues (D1): pure decisions, each a dated act with its reason. No I/O, no clock.

Documents keep days as ISO strings and moments as aware datetimes. A dialogue's document holds the fields of
`DialogueState` and routing's own:

- `deadlines`   {"report" | "invitation" | "conclusion": kit.calendar.Deadline as JSON}, counted when the meeting is dated
- `agreement`   {on, by, note}: the Director agrees contents and who is met (D8 b)
- `report_handed_at`  when the consolidated report was with the Director (D8 d)
- `told`        numbers of the changes everybody was told of; they make up the letter keys that a newer one supersedes
- `waves`       invitations (waves.py), `conclusion` the notice in the making (conclusion.py)
- `fanouts`     [{id, kind, args, at, by}]: what must reach many people; `unfinished` the ids still to be done
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict

from contracts.model import DialogueState, Mode, PlanState
from kit.acting import Acting
from kit.backplan import BackPlan, BackPlanRules, back_plan
from kit.calendar import Deadline, WorkCalendar, recompute
from kit.clock import format_moment, local_date
from kit.errors import Conflict, Invalid
from kit.outbox import Act, Change, Decide, step

Document = dict[str, Any]

SCHEDULED, CANCELLED, HELD = "scheduled", "cancelled", "held"
MOST_SEATS = 10_000
_TOLD = frozenset({"starts_at", "place", "mode", "online_link"})
"""A change of any of these reaches everybody who registered (D9)."""


class Terms(BaseModel):
    """What can be said about a dialogue, now or later: None and empty mean not fixed yet (D1)."""

    model_config = ConfigDict(frozen=True)

    window_from: date | None = None
    window_to: date | None = None
    starts_at: AwareDatetime | None = None
    opens_at: AwareDatetime | None = None
    closes_at: AwareDatetime | None = None
    place: str = ""
    capacity: int | None = None
    """Seats in the room; None: no limit. Nobody is refused by it (docs/decisions/0019)."""
    mode: Mode = Mode.IN_PERSON
    online_link: str = ""
    chair: str = ""
    invitations_due: date | None = None


# Plans


def new_plan(acting: Acting, plan: PlanState) -> tuple[Document, Sequence[Act]]:
    """The state and the act of a plan that is published now. Raises `Invalid`."""
    errors = {name: "Xin nhập nội dung này" for name in ("number", "title") if not getattr(plan, name).strip()}
    if errors:
        raise Invalid(errors)
    act = acting.act("plan.published.v1", changes={"number": plan.number})
    state = {**_storable(plan.model_dump(exclude={"steps"})), "steps": [step(act, 1, "published")]}
    return state, [act]


def edit_plan(acting: Acting, values: Mapping[str, Any], reason: str) -> Decide:
    """Change what the plan says; the reason is kept."""
    _require_reason(reason)
    stored = _storable(values)

    def decide(document: Document) -> Change | None:
        changed = {name: value for name, value in stored.items() if document.get(name) != value}
        if not changed:
            return None
        return Change([acting.act("plan.changed.v1", reason=reason, changes={"fields": sorted(changed)})], changed)

    return decide


def add_posting(acting: Acting, place: str, posted_on: date) -> Decide:
    """Record where the plan and its form were posted (D1)."""
    if not place.strip():
        raise Invalid({"place": "Xin nhập nơi niêm yết, đăng tải"})

    def decide(document: Document) -> Change | None:
        entry = f"{place.strip()} ({format_day(posted_on)})"
        if entry in document["postings"]:
            return None
        act = acting.act("plan.changed.v1", changes={"posting": entry})
        return Change([act], {"postings": [*document["postings"], entry]})

    return decide


# Dialogues


def dialogue_id(plan_id: str, ordinal: int) -> str:
    """A plan's dialogue number `ordinal`: the same plan and number are the same dialogue."""
    return f"{plan_id}-{ordinal}"


def new_dialogue(
    acting: Acting, plan: Document, ordinal: int, terms: Terms, calendar: WorkCalendar, rules: BackPlanRules
) -> tuple[Document, Sequence[Act]]:
    """The state and the act of a dialogue that the plan announces. Raises `Invalid`."""
    _check(terms)
    act = acting.act("dialogue.scheduled.v1", changes=_dates(terms))
    state = {
        "plan": plan["_id"],
        "plan_number": plan["number"],
        "plan_title": plan["title"],
        "year": plan["year"],
        "ordinal": ordinal,
        **_storable(terms.model_dump()),
        "status": SCHEDULED,
        "held_on": None,
        "notice": None,
        "steps": [step(act, 1, SCHEDULED)],
        "deadlines": deadlines(calendar, rules, terms),
        "agreement": None,
        "report_handed_at": None,
        "told": [],
        "waves": [],
        "conclusion": None,
        "fanouts": [],
        "unfinished": [],
    }
    return state, [act]


def change_dialogue(acting: Acting, terms: Terms, reason: str, calendar: WorkCalendar, rules: BackPlanRules) -> Decide:
    """Fix or change date, place, seats, mode, link, opening, closing, chair: a dated act; who registered is told (D1, D9)."""
    _require_reason(reason)
    _check(terms)

    def decide(document: Document) -> Change | None:
        _require_scheduled(document)
        before = terms_of(document)
        changed = {name for name in Terms.model_fields if getattr(before, name) != getattr(terms, name)}
        if not changed:
            return None
        if "starts_at" in changed and terms.starts_at is not None and terms.starts_at <= acting.now:
            raise Invalid({"starts_at": "Thời gian tổ chức phải ở sau thời điểm hiện tại"})
        if "starts_at" in changed and terms.starts_at is None:
            raise Invalid({"starts_at": "Đã ấn định thì không bỏ trống được; có thể đổi ngày hoặc hủy hội nghị"})
        act = acting.act("dialogue.changed.v1", reason=reason, changes=_before_after(before, terms, changed))
        update: Document = {
            **_storable(terms.model_dump()),
            "deadlines": deadlines(calendar, rules, terms),
        }
        if changed & _TOLD and terms.starts_at is not None:
            kind = "date_fixed" if before.starts_at is None else "rescheduled"
            args = {"revision": document["seq"] + 1, "reason": reason, "was": before.starts_at}
            update |= fan_out(document, acting, kind, args) | {"told": [*document["told"], document["seq"] + 1]}
        return Change([act], update)

    return decide


def cancel_dialogue(acting: Acting, reason: str, answers_by: date) -> Decide:
    """The meeting does not take place; everybody is told and answered in writing by `answers_by` (texts §2)."""
    _require_reason(reason)

    def decide(document: Document) -> Change | None:
        if document["status"] == CANCELLED:
            return None
        _require_scheduled(document)
        n = document["seq"] + 1
        act = acting.act("dialogue.cancelled.v1", reason=reason)
        args = {"revision": n, "reason": reason, "answers_by": answers_by.isoformat()}
        return Change(
            [act],
            {
                "status": CANCELLED,
                "steps": [*document["steps"], step(act, n, CANCELLED)],
                **fan_out(document, acting, "cancelled", args),
            },
        )

    return decide


def hold_dialogue(acting: Acting, held_on: date) -> Decide:
    """The meeting took place."""

    def decide(document: Document) -> Change | None:
        if document["status"] == HELD and document["held_on"] == held_on.isoformat():
            return None
        _require_scheduled(document)
        if document["starts_at"] is None:
            raise Conflict("Hội nghị chưa được ấn định thời gian")
        if held_on > local_date(acting.now) or held_on < local_date(document["starts_at"]):
            raise Invalid({"held_on": "Ngày tổ chức không được trước ngày đã ấn định hoặc sau hôm nay"})
        act = acting.act("dialogue.held.v1", changes={"held_on": held_on.isoformat()})
        return Change(
            [act],
            {
                "status": HELD,
                "held_on": held_on.isoformat(),
                "steps": [*document["steps"], step(act, document["seq"] + 1, HELD)],
            },
        )

    return decide


def agree_contents(acting: Acting, note: str) -> Decide:
    """The Director agrees the contents and who is met (D8 b): a dated decision of the leadership."""

    def decide(document: Document) -> Change | None:
        _require_scheduled(document)
        if document["agreement"] is not None:
            return None
        agreement = {"on": acting.now, "by": acting.actor, "note": note.strip()}
        return Change([acting.act("dialogue.changed.v1", changes={"agreed": True})], {"agreement": agreement})

    return decide


def hand_report(acting: Acting) -> Decide:
    """The consolidated report with the prepared answers is with the Director (D8 d): this ends its deadline."""

    def decide(document: Document) -> Change | None:
        _require_scheduled(document)
        if document["report_handed_at"] is not None:
            return None
        act = acting.act("dialogue.changed.v1", changes={"report_handed": True})
        return Change([act], {"report_handed_at": acting.now})

    return decide


# Deadlines


def plan_back(calendar: WorkCalendar, rules: BackPlanRules, terms: Terms) -> BackPlan | None:
    """The latest days of every step and what contradicts (D8); None while the meeting has no date."""
    if terms.starts_at is None:
        return None
    return back_plan(calendar, rules, meeting=terms.starts_at, closing=terms.closes_at, invitation_on=terms.invitations_due)


def deadlines(calendar: WorkCalendar, rules: BackPlanRules, terms: Terms) -> Document:
    """The dialogue's own deadlines, with the rule and the calendar that made them."""
    plan = plan_back(calendar, rules, terms)
    if plan is None:
        return {}
    counted = {"report": plan.report, "invitation": plan.invitation, "conclusion": plan.conclusion}
    return {name: deadline.model_dump(mode="json") for name, deadline in counted.items() if deadline is not None}


def recount(acting: Acting, calendar: WorkCalendar, reason: str) -> Decide:
    """Count the open deadlines again by a changed calendar, one act for each that moves; closed ones stay."""

    def decide(document: Document) -> Change | None:
        moved: Document = {}
        acts = []
        for name, stored in document["deadlines"].items():
            if is_met(document, name):
                continue
            before = Deadline.model_validate(stored)
            after = recompute(before, calendar)
            if after.calendar_version == before.calendar_version:
                continue
            moved[name] = after.model_dump(mode="json")
            if after.due_on != before.due_on:
                dates = [before.due_on.isoformat(), after.due_on.isoformat()]
                acts.append(acting.act("dialogue.changed.v1", reason=reason, changes={f"{name}_due": dates}))
        if not acts:
            return None
        return Change(acts, {"deadlines": {**document["deadlines"], **moved}})

    return decide


def is_met(document: Document, name: str) -> bool:
    """Whether a deadline is closed: a later calendar no longer moves it."""
    before_the_meeting = name in ("report", "invitation")
    return document["status"] == CANCELLED or (before_the_meeting and document["status"] == HELD) or is_done(document, name)


def is_done(document: Document, name: str) -> bool:
    """Whether what the deadline is for has been done; a deadline can be closed without that, by the meeting."""
    match name:
        case "report":
            return document["report_handed_at"] is not None
        case "invitation":
            return any(wave["status"] == "issued" for wave in document["waves"])
        case _:
            return document["notice"] is not None


# Helpers


def terms_of(document: Document) -> Terms:
    # What a dialogue of an older version does not have is not fixed.
    return Terms.model_validate({name: document[name] for name in Terms.model_fields if name in document})


def state_of(document: Document) -> DialogueState:
    return DialogueState.model_validate(document)


def fan_out(document: Document, acting: Acting, kind: str, args: Document) -> Document:
    """The fields that ask for a resumable step: it is named by the event that needs it."""
    entry = {"id": f"{kind}-{document['seq'] + 1}", "kind": kind, "args": args, "at": acting.now, "by": acting.actor}
    return {"fanouts": [*document["fanouts"], entry], "unfinished": [*document["unfinished"], entry["id"]]}


def format_day(day: date) -> str:
    return f"{day.day:02d}/{day.month:02d}/{day.year}"


def _require_reason(reason: str) -> None:
    if not reason.strip():
        raise Invalid({"reason": "Xin ghi lý do"})


def _require_scheduled(document: Document) -> None:
    if document["status"] != SCHEDULED:
        raise Conflict("Hội nghị đã tổ chức hoặc đã hủy")


def _check(terms: Terms) -> None:
    errors = {}
    if terms.starts_at and terms.closes_at and terms.closes_at >= terms.starts_at:
        errors["closes_at"] = "Thời điểm đóng đăng ký phải trước thời gian tổ chức"
    if terms.opens_at and terms.closes_at and terms.opens_at >= terms.closes_at:
        errors["opens_at"] = "Thời điểm mở đăng ký phải trước thời điểm đóng"
    if terms.window_from and terms.window_to and terms.window_from > terms.window_to:
        errors["window_to"] = "Ngày cuối phải từ ngày đầu trở đi"
    if terms.starts_at and terms.mode is Mode.IN_PERSON and not terms.place.strip():
        errors["place"] = "Xin nhập địa điểm"
    if terms.capacity is not None and not 1 <= terms.capacity <= MOST_SEATS:
        errors["capacity"] = f"Số chỗ là một số từ 1 đến {MOST_SEATS}; để trống nếu không giới hạn"
    if terms.online_link and not terms.online_link.startswith("https://"):
        errors["online_link"] = "Đường dẫn phải bắt đầu bằng https://"
    if errors:
        raise Invalid(errors)


def _storable(values: Mapping[str, Any]) -> Document:
    """BSON has no type for a day: it is kept as an ISO string."""
    return {
        name: value.isoformat()
        if isinstance(value, date) and not isinstance(value, datetime)
        else list(value)
        if isinstance(value, tuple)
        else value.value
        if isinstance(value, Mode)
        else value
        for name, value in values.items()
    }


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return format_moment(value)
    return value.isoformat() if isinstance(value, date) else str(value or "")


def _dates(terms: Terms) -> Document:
    return {name: _text(getattr(terms, name)) for name in ("starts_at", "closes_at") if getattr(terms, name)}


def _before_after(before: Terms, after: Terms, names: set[str]) -> Document:
    return {name: [_text(getattr(before, name)), _text(getattr(after, name))] for name in sorted(names)}
