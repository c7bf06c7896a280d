"""Scenario S5 as events: Bắc Kạn, the whole meeting of 26/11/2021 (docs/rules.md, scenarios)."""

from datetime import date

from contracts.model import CaseSource, CaseState, Channel, DialogueState, RegistrantKind
from contracts.views import QuestionFigures
from tests.unit.reporting_events import at, case, clock, dialogue, question

_TOLD = at("24/11/2021 09:00")
_MEETING = at("26/11/2021 16:00")
_GIVEN = at("22/11/2021 09:00")
_IN_TIME = at("24/11/2021 15:00")
_NOTICE = at("01/12/2021 10:00")


def _invited(on: str, came: str) -> tuple[tuple[str, object], ...]:
    return (("invited", at(on)), (came, _MEETING))


CASES: dict[str, CaseState] = {
    c.case_number: c
    for c in (
        case("R1", at("12/11/2021 09:00"), *_invited("21/11/2021 09:00", "attended")),  # type: ignore[arg-type]
        case(
            "R2", at("19/11/2021 16:40"), *_invited("22/11/2021 10:00", "substitute"),  # type: ignore[arg-type]
            channel=Channel.PAPER, kind=RegistrantKind.COOPERATIVE, recorded=at("22/11/2021 08:30"),
        ),
        case(
            "R3", at("20/11/2021 17:29:40"), *_invited("21/11/2021 09:10", "absent"),  # type: ignore[arg-type]
            channel=Channel.EMAIL, kind=RegistrantKind.ENTERPRISE, recorded=at("20/11/2021 17:41"),
        ),
        case(
            "R4", at("20/11/2021 17:30:30"), *_invited("21/11/2021 09:20", "attended"),  # type: ignore[arg-type]
            channel=Channel.FEEDBACK_SECTION,
        ),
        case(
            "R5", at("22/11/2021 08:00"), ("admitted", at("23/11/2021 08:00")),
            *_invited("23/11/2021 08:10", "attended"), channel=Channel.POST, late=True,  # type: ignore[arg-type]
        ),
        case("R6", at("20/11/2021 18:05"), ("to_feedback", at("22/11/2021 14:00")), late=True),
        case("R7", at("18/11/2021 21:40")),
        case("R8", at("15/11/2021 10:00")),
        case("W1", _MEETING, ("attended", _MEETING), channel=None, source=CaseSource.WALK_IN),
    )
}  # fmt: skip


def _prepared(
    of: str, received: str, *after: tuple[str, object], section: int = 1, unit: str = "quan-ly-cong-nghe", **more: object
) -> QuestionFigures:
    """Transferred on 22/11, handed over on the 24th, approved: the preparation of D7, in time."""
    preparation = clock("preparation", _GIVEN, date(2021, 11, 25), _IN_TIME)
    return question(
        of, ("proposed", at(received)), ("transferred", _GIVEN), ("submitted", _IN_TIME), ("ready", at("25/11/2021 08:00")),
        *after, section=section, unit=unit, transfers=[(unit, _GIVEN)],  # type: ignore[arg-type]
        clocks=[preparation, *more.pop("written", ())], **more,  # type: ignore[arg-type, misc]
    )  # fmt: skip


_Q2 = clock("written", _NOTICE, date(2021, 12, 6), at("03/12/2021 15:00"))
_Q10 = clock("written", _NOTICE, date(2021, 12, 6), at("13/12/2021 11:00"))

QUESTIONS: dict[str, QuestionFigures] = {
    "Q1": _prepared("R1", "12/11/2021 09:00", ("resolved", _MEETING)),
    "Q2": _prepared(
        "R1", "12/11/2021 09:00", ("to_write", _MEETING), ("answered", at("03/12/2021 15:00")), section=2, written=[_Q2]
    ),
    "Q3": _prepared("R2", "19/11/2021 16:40", ("resolved", _MEETING), recorded=at("22/11/2021 08:30")),
    "Q4": _prepared("R3", "20/11/2021 17:29:40", ("answered", at("01/12/2021 14:00"))),
    "Q5": _prepared(
        "R4", "20/11/2021 17:30:30", ("escalated", _MEETING), ("escalated_done", at("20/12/2021 09:00")),
        section=2, unit="quan-ly-khoa-hoc",
    ),
    "Q6": _prepared("R5", "22/11/2021 08:00", ("resolved", _MEETING)),
    "Q7": question("R6", ("triage", at("20/11/2021 18:05")), ("to_feedback", at("22/11/2021 14:00"))),
    "Q8": question("R7", ("sealed", at("18/11/2021 21:40")), ("excluded", at("23/11/2021 10:00")), sealed=True),
    "Q9": question("R8", ("triage", at("15/11/2021 10:00")), ("guided", at("16/11/2021 10:00")), section=2),
    "Q10": question(
        "W1", ("triage", _MEETING), ("to_write", _MEETING), ("answered", at("13/12/2021 11:00")),
        section=None, unit="quan-ly-cong-nghe", clocks=[_Q10], source=CaseSource.WALK_IN,
    ),
}  # fmt: skip

DIALOGUE: DialogueState = dialogue(
    "15/KH-SKHCN", 1, year=2021, announced=at("01/11/2021 08:00"), meeting=at("26/11/2021 14:00"), held=at("26/11/2021 17:00")
)
