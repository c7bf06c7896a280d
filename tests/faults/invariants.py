"""I1 to I11: each a function from evidence to violations, in words. An empty list means that the invariant held.

Nothing here asks a service what it did. A question's place is judged by the agency's own rules, applied once more to what the
client sent; every other expectation comes from the clients' record and from Kafka's records.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

from contracts.topics import FEEDBACK, INTAKE_LETTERS, QUESTIONS, REGISTRATIONS, REPORTING_LETTERS, ROUTING_LETTERS
from deploy.local.paths import ROOT
from kit.agency import Agency, load_agencies
from services.intake.codes import code_hash
from services.routing.questions.registrations import classified
from tests.faults.evidence import Evidence
from tests.faults.load import TEXTS, Sent, Way
from tests.faults.report import state_of
from tests.faults.watching import GROUPS, PREFIX, Place, Record, doubled

RECEIPTS = ("receipt", "feedback_receipt")
"""Kinds of letters that show the tracking code; every case has one of them."""
SHOWN = 5
MEGABYTES = 300.0
FILES = 600


def _many(what: str, found: Iterable[Any]) -> list[str]:
    """One violation for a list of cases, the first of them named."""
    cases = [str(case) for case in found]
    if not cases:
        return []
    more = f" and {len(cases) - SHOWN} more" if len(cases) > SHOWN else ""
    return [f"{len(cases)} × {what}: {', '.join(cases[:SHOWN])}{more}"]


def _kept(e: Evidence) -> dict[str, Sequence[Mapping[str, Any]]]:
    """All that intake keeps of what was sent, by collection."""
    return {"registrations": e.registrations, "feedback": e.feedback, "held": e.held}


def i1(e: Evidence) -> list[str]:
    """Every tracking code that was shown: exactly one registration or feedback, or one that is held, equal to what was sent and
    to what its client did with it later.

    It is where it belongs: held until it is let go, then a registration and held no more. What goes on was announced once.
    """
    by_hash: defaultdict[bytes, list[Any]] = defaultdict(list)
    places: defaultdict[bytes, list[str]] = defaultdict(list)
    for name, rows in _kept(e).items():
        for row in rows:
            by_hash[bytes(row["code_hash"])].append(row)
            places[bytes(row["code_hash"])].append(name)
    lost, several, changed, elsewhere = [], [], [], []
    for sent in e.sent:
        for answer in (a for a in (*sent.answers, *sent.repeated) if a.told == "ok"):
            kept = by_hash[code_hash(answer.code)]
            if not kept:
                lost.append(sent.key)
            elif len(kept) > 1:
                several.append(sent.key)
            elif places[code_hash(answer.code)] != [sent.kept_in]:
                elsewhere.append(f"{sent.key} (in {places[code_hash(answer.code)][0]})")
            elif not _equal(sent, kept[0], answer.case_number):
                changed.append(sent.key)
    numbers = doubled([row["case_number"] for rows in _kept(e).values() for row in rows])
    announced = {row["case_number"]: _announcements(row) for rows in _kept(e).values() for row in rows}
    not_once = (row["case_number"] for row in (*e.registrations, *e.feedback) if announced[row["case_number"]] != 1)
    return (
        _many("a code was shown and nothing was kept", lost)
        + _many("a code was shown that several have", several)
        + _many("what was kept is not what was sent", changed)
        + _many("what was kept is not where it belongs", elsewhere)
        + _many("a case number was given twice", numbers)
        + _many("what goes on was not announced exactly once", not_once)
        + _many("what is held was announced", (row["case_number"] for row in e.held if announced[row["case_number"]]))
        + _many("a registrant was refused a change", (s.key for s in e.sent if s.later is not None and not s.is_changed))
    )


def _announcements(row: Mapping[str, Any]) -> int:
    return sum(".received." in entry["type"] for entry in row.get("events", ()))


def _equal(sent: Sent, row: Mapping[str, Any], case_number: str) -> bool:
    body = sent.body
    return bool(
        row["case_number"] == case_number
        and row["agency"] == sent.agency
        and row["kind"] == body["kind"]
        and row["consent_version"] == body["consent_version"]
        and {k: v for k, v in row["person"].items() if v} == body["person"]
        and (_equal_feedback(body, row) if sent.way is Way.FEEDBACK else _equal_form(sent, row))
    )


def _equal_form(sent: Sent, row: Mapping[str, Any]) -> bool:
    """The texts as they were sent; where a section was amended, the new text once: in place of the old one, or added to it."""
    kept = {section["no"]: [section["text"], *_added(section)] for section in row["sections"]}
    wanted = {section["no"]: [[section["text"]]] for section in sent.body["sections"]}
    if sent.later is not None and sent.new_text:
        section = sent.later.section
        wanted[section] = [[sent.new_text], [*wanted[section][0], sent.new_text]]
    return bool(
        row["plan"] == sent.body["plan"]
        and kept.keys() == wanted.keys()
        and all(kept[no] in wanted[no] for no in wanted)
        and row.get("withdrawn_sections", []) == sent.withdrawn
        and row["status"] == ("withdrawn" if len(sent.withdrawn) == len(wanted) else "received")
    )


def _added(kept: Mapping[str, Any]) -> list[str]:
    return [added["text"] for added in kept.get("additions") or ()]


def _equal_feedback(body: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    group = None if row["group_unknown"] else row["group"]
    return bool(row["text"] == body["text"] and group == body["group"])


def i2(e: Evidence) -> list[str]:
    """One key: 0 or 1 of what it was for; a repetition gets the same code, other content 409."""
    # Every client has an address of its own, so what a key led to is counted without trusting how ids are made.
    kept = Counter(row["person"]["email"] for rows in _kept(e).values() for row in rows)
    clients = {sent.email for sent in e.sent}
    twice = [sent.key for sent in e.sent if kept[sent.email] > 1]
    other_code, not_refused = [], []
    for sent in e.sent:
        codes = {a.code for a in (*sent.answers, *sent.repeated) if a.told == "ok"}
        if len(codes) > 1:
            other_code.append(sent.key)
        if sent.changed and sent.changed[-1].status != 409:
            not_refused.append(f"{sent.key} ({sent.changed[-1].status})")
    return (
        _many("a key led to two", twice)
        + _many("a repetition got another code", other_code)
        + _many("other content under a used key was not refused", not_refused)
        + _many(
            "kept, and nobody sent it",
            (row["case_number"] for rows in _kept(e).values() for row in rows if row["person"]["email"] not in clients),
        )
    )


def i3(e: Evidence) -> list[str]:
    """One case per registration or feedback, one question per section, where the rules put it and then the desks or its
    registrant did; none of what is held.
    """
    agencies = load_agencies(ROOT / "agencies")
    accepted = [sent for sent in e.sent if sent.accepted and sent.goes_on]
    cases = Counter((row["case_number"], row["source"]) for row in e.cases)
    questions: defaultdict[tuple[str, int | None], list[Any]] = defaultdict(list)
    for row in e.questions:
        questions[row["case_number"], row["section_no"]].append(row)
    missing: list[str] = []
    twice: list[str] = []
    elsewhere: list[str] = []
    not_amended: list[str] = []
    for sent in accepted:
        source = "feedback" if sent.way is Way.FEEDBACK else "registration"
        opened = cases.pop((sent.case_number, source), 0)
        if opened != 1:
            (twice if opened else missing).append(sent.case_number)
        for section, text in sent.texts:
            name = f"{sent.case_number}/{section or source}"
            found = questions.pop((sent.case_number, section), [])
            if len(found) != 1:
                (twice if found else missing).append(name)
                continue
            question = found[0]
            if _place(question) != _wanted_place(sent, agencies[sent.agency], section, text):
                elsewhere.append(f"{name} ({question['state']} in {question['unit']})")
            is_amended = sent.later is not None and sent.later.section == section and sent.new_text
            if is_amended and [question["text"], *_added(question)].count(sent.new_text) != 1:
                not_amended.append(name)
    return (
        _many("not routed", missing)
        + _many("assigned twice", twice)
        + _many("not where the rules, the desks or its registrant put it", elsewhere)
        + _many("amended, and routing has the new text not once", not_amended)
        + _many("a case that nobody opened", cases)
        + _many("a question that nobody asked", questions)
    )


def _place(question: Mapping[str, Any]) -> tuple[Any, ...]:
    """Its state, the unit that has it, the unit proposed, and all units that it was put before."""
    proposed = (question["proposal"] or {}).get("unit")
    return question["state"], question["unit"], proposed, [transfer["unit"] for transfer in question["transfers"]]


def _wanted_place(sent: Sent, agency: Agency, section: int | None, text: str) -> tuple[Any, ...]:
    moved = sent.moved if sent.path and section == sent.first_section else ()
    units = [move.unit for move in moved if move.state == "transferred"]
    state = state_of(sent, agency, section, text)
    unit = units[-1] if units and state != "returned" else None
    return state, unit, (classified(agency, section, text).proposal or {}).get("unit"), units


def i4(e: Evidence) -> list[str]:
    """One ledger row and one Message-ID per letter and recipient; one accepted copy, but for the cuts. Each case has its receipt,
    each change its confirmation, each transfer its letter to the unit.
    """
    kinds = {row["_id"]: row["kind"] for row in e.ledger}
    keys = {row["_id"]: row["letter_key"] for row in e.ledger}
    rows = doubled([(row["agency"], row["letter_key"], row.get("to")) for row in e.ledger])
    ids: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    contents: defaultdict[str, set[str]] = defaultdict(set)
    for mail in e.mails:
        ids[mail.recipient, keys.get(_row_of(mail.message_id), "")].add(mail.message_id)
        contents[mail.message_id].add(mail.digest)
    copies = Counter(mail.message_id for mail in e.mails)
    said_unknown = {row["_id"]: sum(step["state"] == "unknown" for step in row["steps"]) for row in e.ledger}
    too_often = [i for i, count in copies.items() if count > 1 + said_unknown.get(_row_of(i), 0)]
    sent_rows = {row["_id"] for row in e.ledger if row["state"] == "sent"}
    arrived = {_row_of(mail.message_id) for mail in e.mails}
    unknown = sum(n > 0 for n in said_unknown.values())
    codes = {sent.email: sent.code for sent in e.sent if sent.accepted and sent.goes_on}
    held = {sent.email for sent in e.sent if not sent.goes_on}
    receipts = [mail for mail in e.mails if kinds.get(_row_of(mail.message_id), "receipt") in RECEIPTS]
    return (
        _many("two ledger rows for one letter", rows)
        + _many("one letter to one person has several Message-IDs", (to for (to, _), found in ids.items() if len(found) > 1))
        + _many("copies of one mail differ", (i for i, found in contents.items() if len(found) > 1))
        + _many("went out again although nobody had called it unknown", too_often)
        + ([f"{unknown} letters were UNKNOWN, and only {e.cuts} could be"] if unknown > e.cuts else [])
        + _many("marked sent and never arrived", sent_rows - arrived)
        + _many("arrived without a ledger row", arrived - {row["_id"] for row in e.ledger})
        + _many("a receipt with another code", (m.recipient for m in receipts if codes.get(m.recipient, "") not in m.text))
        + _many("a receipt of what is held", (mail.recipient for mail in e.mails if mail.recipient in held))
        + _many("not as many letters in the ledger as there should be", _letters(e))
    )


def _letters(e: Evidence) -> list[str]:
    """The cases that do not have the letters that what was accepted, changed and transferred leads to."""
    wanted: Counter[tuple[str, str]] = Counter()
    for sent in (s for s in e.sent if s.accepted and s.goes_on):
        wanted[sent.case_number, "feedback_receipt" if sent.way is Way.FEEDBACK else "receipt"] += 1
        wanted[sent.case_number, "amended"] += sent.is_changed
        wanted[sent.case_number, "new_question"] += sum(move.state == "transferred" for move in sent.moved)
    known = {case for case, _ in wanted}
    found = Counter((row["case_number"], row["kind"]) for row in e.ledger if row.get("case_number") in known)
    return [f"{case}: {found[case, kind]} × {kind}" for case, kind in wanted | found if found[case, kind] != wanted[case, kind]]


def _row_of(message_id: str) -> str:
    return message_id.strip("<>").partition("@")[0]


def i5(e: Evidence) -> list[str]:
    """Every report equals a recomputation from the source, and its sums equal the registrations and the feedback."""
    violations = [
        f"{agency}: {what} is {e.reported.get(agency, Counter())[what]} in the report, {counted[what]} were sent"
        for agency, counted in e.counted.items()
        for what in counted | e.reported.get(agency, Counter())
        if e.reported.get(agency, Counter())[what] != counted[what]
    ]
    summed: defaultdict[str, Counter[tuple[Any, ...]]] = defaultdict(Counter)
    for fact in e.facts:
        for flow in fact["flows"]:
            summed[f"{fact['agency']}/{flow['day']}"][_flow(flow)] += flow["n"]
    for bucket in e.buckets:
        kept = Counter({_flow(flow): flow["n"] for flow in bucket["flows"]})
        wanted = {key: n for key, n in summed.pop(bucket["_id"], Counter()).items() if n}
        if dict(kept) != wanted:
            violations.append(f"the sums of {bucket['_id']} are not those of its facts")
    return (
        violations + _many("a day has facts and no sums", summed) + _many("a month is not the sum of its days", _wrong_months(e))
    )


def _wrong_months(e: Evidence) -> set[str]:
    """Report months (15th to 14th) whose totals are not those of their days, by agency."""
    wanted: defaultdict[str, Counter[tuple[Any, ...]]] = defaultdict(Counter)
    for bucket in e.buckets:
        day = date.fromisoformat(bucket["day"])
        month = (day if day.day >= 15 else day.replace(day=1) - timedelta(days=1)).replace(day=15)
        for flow in bucket["flows"]:
            wanted[f"{bucket['agency']}/{month}"][flow["measure"], tuple(flow["key"])] += flow["n"]
    kept = {
        f"{row['agency']}/{row['month']}": {(flow["measure"], tuple(flow["key"])): flow["n"] for flow in row["totals"]}
        for row in e.months
    }
    return {name for name in wanted.keys() | kept.keys() if {k: n for k, n in wanted[name].items() if n} != kept.get(name, {})}


def _flow(flow: Mapping[str, Any]) -> tuple[Any, ...]:
    return flow["about"], flow["measure"], tuple(flow["key"])


def i6(e: Evidence) -> list[str]:
    """No offset was ever ahead of a durable effect, and nothing is left unread."""
    return [*e.ahead, *offsets_ahead(e), *(f"{group} lags by {n} records" for group, n in e.lag.items())]


def offsets_ahead(e: Evidence) -> list[str]:
    """Records below a committed offset whose effect is not there, by group."""
    buried = {(row["group"], row["topic"], row["partition"], row["offset"]) for row in e.dead_letters}
    violations: list[str] = []
    for group, is_done in _effects(e).items():
        missing = [
            record.place
            for record in _read_by(e, group)
            if record.event is not None
            and (f"{PREFIX}.{group}", *record.place) not in buried
            and not is_done(record, record.event)
        ]
        violations += _many(f"{group} committed past a record whose effect is not there", missing)
    return violations


def not_committed(e: Evidence, group: str) -> int:
    """Records that have their effect and will be read again."""
    is_done = _effects(e)[group]
    committed = e.committed[group]
    return sum(
        record.event is not None and is_done(record, record.event)
        for topic in GROUPS[group]
        for record in e.records[topic.name]
        if record.place.offset >= committed.get((topic.name, record.place.partition), 0)
    )


def _read_by(e: Evidence, group: str) -> Iterable[Record]:
    committed = e.committed.get(group, {})
    for topic in GROUPS[group]:
        for record in e.records.get(topic.name, ()):
            if record.place.offset < committed.get((topic.name, record.place.partition), 0):
                yield record


def _effects(e: Evidence) -> dict[str, Callable[[Record, Mapping[str, Any]], bool]]:
    """Group → whether the effect of an event is there."""
    cases = {str(row["_id"]): row["registration_seq"] for row in e.cases}
    deliveries = {str(row["_id"]): row["sequence"] for row in e.deliveries}
    shown_cases = {str(row["_id"]): row["sequence"] for row in e.shown_cases}
    shown_questions = {str(row["_id"]): row["sequence"] for row in e.shown_questions}
    facts = {row["_id"]: row["sequence"] for row in e.facts}
    letters = {(row["agency"], row["letter_key"]) for row in e.ledger}
    announced = {row["_id"]: row["sequence"] for row in (*e.shown_plans, *e.shown_dialogues)}
    intake_calendars = {row["_id"]: row["sequence"] for row in e.intake_calendars}
    reporting_calendars = {row["_id"]: row["sequence"] for row in e.reporting_calendars}

    def knows(accounts: Iterable[Mapping[str, Any]]) -> Callable[[Record, Mapping[str, Any]], bool]:
        held = {row["_id"]: row["sequence"] for row in accounts}
        return lambda _, event: held.get(f"{event['agency']}/{event['data']['username']}", 0) >= event["sequence"]

    def at_least(held: Mapping[str, int], kind: str = "") -> Callable[[Record, Mapping[str, Any]], bool]:
        return lambda _, event: held.get(f"{kind}{event['subject']}", 0) >= event["sequence"]

    return {
        "routing.registrations": at_least(cases),
        "routing.feedback": at_least(cases),
        "routing.deliveries": at_least(deliveries),
        "intake.cases": at_least(shown_cases),
        "intake.questions": at_least(shown_questions),
        "intake.dialogues": at_least(announced),
        "intake.staff": knows(e.intake_staff),
        "intake.calendars": at_least(intake_calendars),
        "reporting.cases": at_least(facts, "case/"),
        "reporting.questions": at_least(facts, "question/"),
        "reporting.surveys": at_least(facts, "survey/"),
        # Nothing is counted of a plan.
        "reporting.dialogues": lambda r, event: event["type"].startswith("plan.") or at_least(facts, "dialogue/")(r, event),
        "reporting.staff": knows(e.reporting_staff),
        "reporting.calendars": at_least(reporting_calendars),
        "notify.letters": lambda _, event: (event["agency"], event["data"].get("letter_key")) in letters,
        "notify.staff": knows(e.notify_staff),
    }


def i7(e: Evidence) -> list[str]:
    """The dead letters are exactly the poison, each once for each group that read it, with its bytes, place and reason."""
    wanted = {(f"{PREFIX}.{group}", *p.place): p.value for p in e.poison for group in p.groups}
    found: dict[tuple[Any, ...], Any] = {}
    violations: list[str] = []
    for row in e.dead_letters:
        place = (row["group"], row["topic"], row["partition"], row["offset"])
        if place in found:
            violations.append(f"two dead letters for {place}")
        found[place] = row
        value = None if row["value"] is None else bytes(row["value"])
        if place in wanted and value != wanted[place]:
            violations.append(f"the bytes of {place} were changed")
        if not row["reason"]:
            violations.append(f"no reason for {place}")
    return (
        violations
        + _many("poison that is in no dead letter", wanted.keys() - found.keys())
        + _many("a dead letter that was no poison", found.keys() - wanted.keys())
    )


QUESTION_MOVES: Mapping[str, frozenset[str]] = {
    state: frozenset(after.split())
    for state, after in {
        "new": "triage proposed sealed",
        "sealed": "triage excluded withdrawn",
        "triage": "proposed transferred merged sealed",
        "proposed": "transferred triage merged sealed",
        "transferred": "at_head submitted returned",
        "at_head": "submitted transferred returned",
        "returned": "transferred triage",
        "submitted": "ready guided escalated sent_back",
        "sent_back": "at_head submitted",
        "ready": "sent_back",
        "to_write": "answered",
        "escalated": "escalated_done",
        "collecting": "triage",
    }.items()
}
"""Before the meeting. Every open state also goes to `AFTER` by the office."""
AFTER = frozenset("resolved to_write escalated guided adopted answered withdrawn to_feedback to_dialogue collecting".split())
CASE_MOVES: Mapping[str, frozenset[str]] = {
    "open": frozenset({"invited", "closed", "withdrawn", "to_feedback", "attended", "absent", "substitute"}),
    "invited": frozenset({"attended", "substitute", "absent", "withdrawn", "closed"}),
    "attended": frozenset({"closed", "substitute", "absent"}),
    "substitute": frozenset({"closed", "attended", "absent"}),
    "absent": frozenset({"closed", "attended", "substitute"}),
    "late": frozenset({"admitted", "to_feedback", "withdrawn"}),
    "admitted": frozenset({"invited", "withdrawn", "closed", "to_feedback"}),
    "to_feedback": frozenset({"closed", "withdrawn", "open"}),
}
FIRST = {"question": {"new", "sealed", "triage", "proposed"}, "case": {"open", "to_feedback"}}


def i8(e: Evidence) -> list[str]:
    """Only allowed moves, each a new dated step; what was published of a history is never taken back, and what a desk was told is
    in the history and in what was published of it, once and in its order.
    """
    violations: list[str] = []
    poison = {p.place for p in e.poison}
    for kind, rows, topic in (("question", e.questions, "routing.questions"), ("case", e.cases, "routing.cases")):
        moves = QUESTION_MOVES if kind == "question" else CASE_MOVES
        rules = [row["_id"] for row in rows if not _history_is_allowed(row["steps"], moves, kind)]
        gaps = [row["_id"] for row in rows if [entry["n"] for entry in row["events"]] != list(range(1, row["seq"] + 1))]
        violations += _many(f"a {kind} moved as no rule allows", rules)
        violations += _many(f"the audit trail of a {kind} has gaps", gaps)
        ours = [record for record in e.records.get(topic, ()) if record.place not in poison]
        violations += _published_histories(kind, rows, ours)
    return violations + _confirmed_moves(e, poison)


def _confirmed_moves(e: Evidence, poison: Set[Place]) -> list[str]:
    """Questions whose steps, or the newest that was published of them, are not their first and then the confirmed ones."""
    newest: dict[str, Mapping[str, Any]] = {}
    for record in e.records.get(QUESTIONS.name, ()):
        if record.place not in poison and record.event is not None:
            known = newest.get(record.key)
            if known is None or known["sequence"] <= record.event["sequence"]:
                newest[record.key] = record.event
    confirmed = {(s.case_number, s.first_section): [move.state for move in s.moved] for s in e.sent if s.moved}
    not_kept, not_published = [], []
    for row in e.questions:
        moved = confirmed.get((row["case_number"], row["section_no"]))
        if moved is None:
            continue
        published = newest.get(str(row["_id"]), {"data": {}})["data"].get("steps", ())
        if [step["state"] for step in row["steps"][1:]] != moved:
            not_kept.append(f"{row['case_number']} ({'-'.join(moved)})")
        elif [step["state"] for step in published[1:]] != moved:
            not_published.append(f"{row['case_number']} ({'-'.join(moved)})")
    return _many("a history is not what the desks were told", not_kept) + _many(
        "what was published of a history is not what the desks were told", not_published
    )


def _history_is_allowed(steps: Sequence[Mapping[str, Any]], moves: Mapping[str, frozenset[str]], kind: str) -> bool:
    numbers = [step["n"] for step in steps]
    if not steps or numbers != sorted(set(numbers)) or any(step.get("at") is None for step in steps):
        return False
    if steps[0]["state"] not in FIRST[kind]:
        return False
    for before, now in pairwise(steps):
        was, state = before["state"], now["state"]
        allowed = moves.get(was, frozenset())
        if kind == "question" and was in QUESTION_MOVES and was != "sealed":
            allowed = allowed | AFTER
        if kind == "case" and was == "open":
            allowed = allowed | {"late"}
        if state not in allowed:
            return False
    return True


def _published_histories(kind: str, rows: Sequence[Mapping[str, Any]], records: Sequence[Record]) -> list[str]:
    final = {str(row["_id"]): [(step["n"], step["state"]) for step in row["steps"]] for row in rows}
    shrunk, disordered = set(), set()
    newest: dict[str, int] = {}
    seen: set[tuple[str, int]] = set()
    for record in records:
        if record.event is None:
            continue
        sequence = record.event["sequence"]
        steps = [(step["n"], step["state"]) for step in record.event["data"].get("steps", ())]
        if final.get(record.key, [])[: len(steps)] != steps:
            shrunk.add(record.key)
        if (record.key, sequence) not in seen:
            if sequence < newest.get(record.key, 0):
                disordered.add(record.key)
            newest[record.key] = max(sequence, newest.get(record.key, 0))
            seen.add((record.key, sequence))
    return _many(f"the published history of a {kind} was taken back", shrunk) + _many(
        f"events of a {kind} first appeared out of order", disordered
    )


def i9(e: Evidence) -> list[str]:
    """MongoDB down: 503 with Retry-After, never a yes. Kafka or SMTP down: intake goes on."""
    violations: list[str] = []
    answers = [answer for sent in e.sent for answer in sent.every_answer]
    for window in e.windows:
        within = [a for a in answers if window.began <= a.began and a.ended <= window.ended]
        if window.what == "mongodb":
            violations += _many("a yes while MongoDB was down", (a.status for a in within if a.told == "ok"))
            violations += _many("no 503 while MongoDB was down", (a.status for a in within if a.told != "ok" and a.status != 503))
            violations += _many("a 503 without Retry-After", (a.status for a in within if a.status == 503 and not a.retry_after))
        else:
            refused = [a.status for a in within if a.told != "ok" and a.status != 409]
            violations += _many(f"intake did not go on while {window.what} was down", refused)
    return violations


def answered_within(e: Evidence, what: str) -> int:
    """Requests that began and were answered while `what` was down."""
    answers = [answer for sent in e.sent for answer in sent.every_answer]
    return sum(w.began <= a.began and a.ended <= w.ended for w in e.windows if w.what == what for a in answers)


PLANTED = ("hop-thu.example", "Người Thử Số", "912345678", "phường Thử Nghiệm", *(text[:30] for text in TEXTS))
CODE = re.compile(rb"(?:[A-Z2-9]{4}-){3}[A-Z2-9]{4}|\b[A-Z2-9]{16}\b")
MAY_HOLD_CONTACTS = {t.name for t in (REGISTRATIONS, FEEDBACK, INTAKE_LETTERS, ROUTING_LETTERS, REPORTING_LETTERS)}


def i10(e: Evidence) -> list[str]:
    """Planted personal data and codes are in no log, no metric, no address, and in no topic that is kept for long."""
    forms = {form for text in PLANTED for form in (text, text.encode("unicode_escape").decode(), text.replace("@", "%40"))}
    planted = re.compile(b"|".join(re.escape(form.encode()) for form in sorted(forms)))
    codes = {code for sent in e.sent if sent.code for code in (sent.code.encode(), sent.code.replace("-", "").encode())}
    violations: list[str] = []
    for name, content in e.written.items():
        found = len(planted.findall(content))
        found += sum(match in codes for match in CODE.findall(content))
        if found:
            violations.append(f"{name} holds personal data ({found} times)")
    for topic, records in e.records.items():
        if topic in MAY_HOLD_CONTACTS:
            continue
        if found := sum(bool(planted.search(record.value or b"")) for record in records):
            violations.append(f"topic {topic} holds personal data ({found} records)")
    return violations


def i11(e: Evidence) -> list[str]:
    """No process grew beyond its bound, whatever was down."""
    biggest: dict[str, float] = {}
    files: dict[str, int] = {}
    for size in e.sizes:
        biggest[size.process] = max(size.megabytes, biggest.get(size.process, 0))
        files[size.process] = max(size.files, files.get(size.process, 0))
    return [f"{name} took {n:.0f} MB, over {MEGABYTES:.0f}" for name, n in biggest.items() if n > MEGABYTES] + [
        f"{name} had {n} files open, over {FILES}" for name, n in files.items() if n > FILES
    ]


INVARIANTS: Mapping[str, Callable[[Evidence], list[str]]] = {
    f"I{n}": check for n, check in enumerate((i1, i2, i3, i4, i5, i6, i7, i8, i9, i10, i11), 1)
}


def violations(e: Evidence) -> dict[str, list[str]]:
    """What did not hold, by invariant."""
    return {name: found for name, check in INVARIANTS.items() if (found := check(e))}
