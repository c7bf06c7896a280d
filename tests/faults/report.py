"""The report as its readers get it, and the same numbers counted a second time in plain Python from what the clients sent."""

import asyncio
import io
from collections import Counter
from collections.abc import Iterable
from datetime import timedelta

import httpx
import openpyxl

from cli.browser import Browser
from cli.up import sign_ins
from deploy.local.paths import ROOT
from deploy.local.stack import LocalStack
from kit.agency import load_agencies
from kit.clock import local_date, system_clock
from tests.faults.load import KINDS, Sent

Numbers = dict[str, Counter[str]]
"""Agency → what is counted → how many."""

_CHANNELS = ("Kết nối phần mềm (API)", "Trang thông tin điện tử")


def counted_from_what_was_sent(sent: Iterable[Sent]) -> Numbers:
    """Registrations by kind, and questions by section."""
    numbers: Numbers = {}
    labels = {code: {s.no: s.label for s in agency.form.sections} for code, agency in load_agencies(ROOT / "agencies").items()}
    for one in sent:
        counted = numbers.setdefault(one.agency, Counter())
        counted[one.body["kind"]] += 1
        counted.update(labels[one.agency][section["no"]] for section in one.body["sections"])
    return numbers


async def shown_by_the_report(stack: LocalStack) -> Numbers:
    """The same numbers from the workbooks that the control unit downloads."""
    return {code: await asyncio.to_thread(_of_agency, stack, code) for code in load_agencies(ROOT / "agencies")}


def _of_agency(stack: LocalStack, agency: str) -> Counter[str]:
    rows = _workbook(stack, agency)
    numbers: Counter[str] = Counter()
    for by_channel in (row for row in rows if row[0] in _CHANNELS):
        numbers.update({kind: int(n) for kind, n in zip(KINDS, by_channel[1:5], strict=True) if n})
    labels = {section.label for section in load_agencies(ROOT / "agencies")[agency].form.sections}
    for row in rows:
        if row[0] in labels and row[0] not in numbers:
            closed, still_open = int(row[2]), int(row[3])
            numbers[str(row[0])] = closed + still_open
    return +numbers


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
