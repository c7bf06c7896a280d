"""The pages of reporting: reports for staff, their workbook, the cases behind a number, and the public's sums."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from contracts.model import QuestionState
from kit.agency import Agency
from kit.auth import Role
from kit.calendar import WorkCalendar
from kit.clock import local_date
from kit.errors import Invalid, NotFound
from kit.periods import (
    PartsDeadline,
    Period,
    PeriodError,
    dates,
    first_half,
    parse_period,
    quarter,
    quarter_of,
    report_month,
    second_half,
    whole_year,
)
from kit.web import Templates, staff
from kit.web.faces import face_of
from services.reporting import chart, labels, public, xlsx
from services.reporting.domain import Cell, CellError
from services.reporting.report import Report
from services.reporting.usecases import Drawn, Reporting, draw, listing, public_year

_READERS = (Role.OFFICE, Role.HEAD, Role.LEADERSHIP, Role.CONTROL)
_FIRST_YEAR = 2001


@dataclass(frozen=True, slots=True)
class PeriodLine:
    """A period on the index: its cut-off, and the parts' deadline where the agency has one (K7)."""

    period: Period
    current: bool
    parts: PartsDeadline | None
    sent_from: date


def router(reporting: Reporting, templates: Templates) -> APIRouter:
    """All pages of reporting."""
    pages = _Pages(reporting, templates)
    routes = APIRouter(include_in_schema=False)
    reader = [Depends(staff(*_READERS))]
    get = routes.get
    get("/{agency}/bao-cao", dependencies=reader)(pages.with_slash)
    get("/{agency}/bao-cao/", dependencies=reader)(pages.index)
    get("/{agency}/bao-cao/{period}.xlsx", dependencies=reader)(pages.workbook)
    get("/{agency}/bao-cao/{period}", dependencies=reader)(pages.report)
    get("/{agency}/bao-cao/{period}/o/{cell}", dependencies=reader)(pages.cell)
    get("/{agency}/so-lieu")(pages.public)
    return routes


class _Pages:
    """The endpoints."""

    def __init__(self, reporting: Reporting, templates: Templates) -> None:
        self._reporting = reporting
        self._templates = templates

    async def with_slash(self, agency: str) -> Response:
        return RedirectResponse(f"/{self._reporting.agency(agency).code}/bao-cao/", 303)

    async def index(self, request: Request, agency: str) -> Response:
        """The periods of a report year with their cut-offs; dates chosen freely lead to their report."""
        profile = self._reporting.agency(agency)
        query = request.query_params
        if "tu" in query or "den" in query:
            return await self._chosen(request, profile, query.get("tu", ""), query.get("den", ""))
        return await self._index(request, profile)

    async def _chosen(self, request: Request, profile: Agency, first: str, last: str) -> Response:
        try:
            period = _chosen_period(first, last)
        except Invalid as error:
            values = {"tu": first, "den": last}
            return await self._index(request, profile, values=values, errors=error.errors, status=422)
        return RedirectResponse(f"/{profile.code}/bao-cao/{period.code}", 303)

    async def _index(
        self,
        request: Request,
        profile: Agency,
        *,
        values: dict[str, str] | None = None,
        errors: dict[str, str] | None = None,
        status: int = 200,
    ) -> Response:
        today = local_date(self._reporting.clock())
        this_year, _ = report_month(today)
        year = _year(request.query_params.get("nam"), this_year)
        calendar = await self._reporting.calendars.of(profile.code)
        lines = [_line(profile, calendar, period, today) for period in _periods_of(year)]
        return self._page(
            request,
            profile,
            "reports.html",
            status=status,
            lines=lines,
            year=year,
            this_year=this_year,
            values=values or {},
            errors=errors or {},
            before_day=profile.report_parts_before_day,
        )

    async def report(self, request: Request, agency: str, period: str) -> Response:
        """The report: a chart, its tables, the checks."""
        profile = self._reporting.agency(agency)
        found = _period(period)
        drawn = await draw(self._reporting, profile, found)
        now = self._reporting.clock()
        return self._page(
            request,
            profile,
            "report.html",
            report=drawn.report,
            freshness=drawn.freshness,
            now=now,
            begun=found.first_day <= local_date(now),
            channels=_channel_bars(drawn.report),
            sections=_section_bars(drawn.report),
            nothing=labels.NOTHING,
            base=f"/{profile.code}/bao-cao/{found.code}",
            current=quarter_of(now).code,
        )

    async def workbook(self, agency: str, period: str) -> Response:
        """The report as XLSX."""
        profile = self._reporting.agency(agency)
        found = _period(period)
        drawn = await draw(self._reporting, profile, found)
        headers = {"Content-Disposition": f'attachment; filename="bao-cao-{profile.code}-{found.code}.xlsx"'}
        return Response(xlsx.workbook(profile, drawn.report), media_type=xlsx.MEDIA_TYPE, headers=headers)

    async def cell(self, request: Request, agency: str, period: str, cell: str) -> Response:
        """The case numbers behind a number; nothing else about anybody."""
        profile = self._reporting.agency(agency)
        found = _period(period)
        try:
            chosen = Cell.parse(cell)
        except CellError:
            raise NotFound("cell") from None
        page = request.query_params.get("trang", "1")
        rows = await listing(self._reporting, profile, found, chosen, int(page) if page.isdecimal() and len(page) < 6 else 1)
        return self._page(
            request,
            profile,
            "cell.html",
            period=found,
            title=labels.describe(profile, chosen),
            listing=rows,
            listed=partial(labels.listed, chosen.measure),
            what="Ngày, cách thu nhận" if chosen.measure in labels.SURVEYED else "Số hồ sơ",
            base=f"/{profile.code}/bao-cao/{found.code}",
            here=f"/{profile.code}/bao-cao/{found.code}/o/{chosen.code}?trang=",
        )

    async def public(self, request: Request, agency: str) -> Response:
        """Sums of a report year, for everybody."""
        profile = self._reporting.agency(agency)
        this_year, _ = report_month(local_date(self._reporting.clock()))
        year = min(_year(request.query_params.get("nam"), this_year), this_year)
        drawn = await public_year(self._reporting, profile, year)
        lines = public.sections(drawn.report)
        return self._page(
            request,
            profile,
            "public.html",
            year=year,
            this_year=this_year,
            report=drawn.report,
            figures_of_year=_public_figures(drawn),
            lines=lines,
            survey=public.survey(drawn.report),
            sections=chart.bars([(line.label, (("good", line.ended), ("open", line.open))) for line in lines]),
            freshness=drawn.freshness,
            now=self._reporting.clock(),
            nothing=labels.NOTHING,
        )

    def _page(self, request: Request, profile: Agency, name: str, *, status: int = 200, **context: Any) -> Response:
        return self._templates.page(request, name, agency=face_of(profile), status=status, **context)


def _period(code: str) -> Period:
    try:
        return parse_period(code)
    except PeriodError:
        raise NotFound("period") from None


def _line(profile: Agency, calendar: WorkCalendar, period: Period, today: date) -> PeriodLine:
    before_day = profile.report_parts_before_day.value
    parts = period.parts_deadline(calendar, before_day=before_day) if before_day is not None else None
    current = period.first_day <= today <= period.last_day
    return PeriodLine(period, current, parts, period.first_working_day_after(calendar))


def _chosen_period(first: str, last: str) -> Period:
    """The period of two typed days. Raises `Invalid`."""
    days: dict[str, date] = {}
    errors: dict[str, str] = {}
    for name, text in (("tu", first), ("den", last)):
        try:
            days[name] = date.fromisoformat(text)
        except ValueError:
            errors[name] = "Xin chọn ngày."
    if errors:
        raise Invalid(errors)
    try:
        return parse_period(dates(days["tu"], days["den"]).code)
    except PeriodError as error:
        raise Invalid({"den": f"{error}."}) from None


def _year(text: str | None, default: int) -> int:
    """The year asked for, if it is one that reports exist for."""
    if text is None or not text.isdecimal() or len(text) != 4:
        return default
    return min(max(int(text), _FIRST_YEAR), default + 1)


def _periods_of(year: int) -> Sequence[Period]:
    return (*(quarter(year, n) for n in (1, 2, 3, 4)), first_half(year), second_half(year), whole_year(year))


def _channel_bars(report: Report) -> Sequence[chart.Bar]:
    rows = [row for row in report.table("phieu").rows if not row.adds]
    return chart.bars([(row.label, (("good", row.values[-2].n),)) for row in rows if row.values[-2].n])


def _section_bars(report: Report) -> Sequence[chart.Bar]:
    rows = [row for row in report.table("muc").rows if not row.adds and not row.outside and row.values[0].n]
    return chart.bars([(row.label, (("good", row.values[1].n), ("open", row.values[2].n))) for row in rows])


def _public_figures(drawn: Drawn) -> Sequence[tuple[str, int]]:
    overview = drawn.report.table("tong-hop").rows
    states = drawn.report.table("trang-thai").rows
    closed = {labels.STATES[s] for s in QuestionState if s in _ANSWERED}
    answered = sum(row.values[0].n for row in states if row.label in closed)
    wanted = {"Hội nghị đối thoại đã tổ chức", "Phiếu đăng ký tham gia đối thoại", "Nội dung tiếp nhận"}
    figures = [(row.label, row.values[0].n) for row in overview if row.label in wanted]
    return [*figures, ("– trong đó đã giải đáp, trả lời hoặc hướng dẫn", answered)]


_ANSWERED = frozenset(
    {
        QuestionState.RESOLVED,
        QuestionState.ANSWERED,
        QuestionState.GUIDED,
        QuestionState.ESCALATED_DONE,
        QuestionState.ADOPTED,
    }
)
