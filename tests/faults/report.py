"""The report as its readers get it, and the same numbers counted a second time in plain Python from what the clients sent."""

import asyncio
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import timedelta

import httpx
import openpyxl

from cli.browser import Browser
from cli.up import sign_ins
from deploy.local.paths import ROOT
from deploy.local.stack import LocalStack
from kit.agency import Agency, load_agencies
from kit.clock import local_date, system_clock
from services.reporting.labels import STATES
from services.routing.questions.registrations import classified
from tests.faults.load import KINDS, Sent, Way

Numbers = dict[str, Counter[str]]
"""Agency → what is counted → how many."""

_CHANNELS = ("Kết nối phần mềm (API)", "Trang thông tin điện tử")
_STATES = "Nội dung tiếp nhận trong kỳ theo tình trạng đến ngày chốt"
_FEEDBACK = "Phản ánh, kiến nghị theo kênh tiếp nhận và đối tượng"


def counted_from_what_was_sent(sent: Iterable[Sent]) -> Numbers:
    """Registrations and feedback by kind, questions of registrations by section and by state; nothing of what is held."""
    numbers: Numbers = {}
    agencies = load_agencies(ROOT / "agencies")
    labels = {code: {s.no: s.label for s in agency.form.sections} for code, agency in agencies.items()}
    for one in (sent_one for sent_one in sent if sent_one.goes_on):
        counted = numbers.setdefault(one.agency, Counter())
        counted[_counted_as(one.body["kind"], of_feedback=one.way is Way.FEEDBACK)] += 1
        counted.update(labels[one.agency][section] for section, _ in one.texts if section is not None)
        counted.update(_in_state(state_of(one, agencies[one.agency], section, text)) for section, text in one.texts if section)
    return numbers


def state_of(sent: Sent, agency: Agency, section: int | None, text: str) -> str:
    """The state of a section's question when all has settled: where its registrant, the desks or else the rules put it."""
    if section in sent.withdrawn:
        return "withdrawn"
    if sent.moved and section == sent.first_section:
        return sent.moved[-1].state
    return classified(agency, section, text).state.value


def _in_state(state: str) -> str:
    return f"in state: {STATES[state]}"


def _counted_as(kind: str, *, of_feedback: bool) -> str:
    return f"feedback: {kind}" if of_feedback else kind


async def shown_by_the_report(stack: LocalStack) -> Numbers:
    """The same numbers from the workbooks that the control unit downloads."""
    return {code: await asyncio.to_thread(_of_agency, stack, code) for code in load_agencies(ROOT / "agencies")}


def _of_agency(stack: LocalStack, agency: str) -> Counter[str]:
    rows = _workbook(stack, agency)
    numbers: Counter[str] = Counter()
    title = ""
    for row in rows:
        if not any(row[1:]):
            title = row[0] or title
        elif row[0] in _CHANNELS:
            names = [_counted_as(kind, of_feedback=title == _FEEDBACK) for kind in KINDS]
            numbers.update({name: int(n) for name, n in zip(names, row[1:5], strict=True) if n})
    by_state = _below(rows, _STATES)
    numbers.update({f"in state: {row[0]}": int(row[1]) for row in by_state})
    labels = {section.label for section in load_agencies(ROOT / "agencies")[agency].form.sections}
    for row in rows:
        if row[0] in labels and row[0] not in numbers:
            closed, still_open = int(row[2]), int(row[3])
            numbers[str(row[0])] = closed + still_open
    return +numbers


def _below(rows: Sequence[tuple[str, ...]], title: str) -> list[tuple[str, ...]]:
    """The lines of the table under a title, without its heading and its sum."""
    first = next(n for n, row in enumerate(rows) if row[0] == title) + 2
    last = next(n for n in range(first, len(rows)) if rows[n][0] == "Cộng")
    return list(rows[first:last])


def _workbook(stack: LocalStack, agency: str) -> list[tuple[str, ...]]:
    today = local_date(system_clock())
    period = f"{today - timedelta(days=1)}..{today + timedelta(days=1)}"
    account = next(a for a in sign_ins(stack) if a["agency"] == agency and a["role"] == "control")
    browser = Browser(stack.public_url)
    try:
        fields = {"username": account["login"], "password": account["password"]}
        browser.submit(f"/{agency}/can-bo/dang-nhap", "", fields, having="password")
        answer: httpx.Response = browser.download(f"/{agency}/bao-cao/{period}.xlsx")
    finally:
        browser.close()
    sheet = openpyxl.load_workbook(io.BytesIO(answer.content)).worksheets[0]
    return [tuple("" if v is None else str(v) for v in row) for row in sheet.iter_rows(values_only=True)]
