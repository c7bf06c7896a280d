"""The desk of the survey: QR codes and papers for the counters, papers typed in, and what people wrote (K3; 002 item 14)."""

import secrets
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from kit.acting import Acting
from kit.agency import Agency
from kit.auth import Role, Session
from kit.clock import format_date, local_date
from kit.errors import Invalid, NotFound, Unavailable
from kit.periods import Period, PeriodError, parse_period, quarter_of
from kit.procedures import procedures_of
from kit.web import Templates, current_trace, read_form, staff
from kit.web.faces import face_of
from services.intake.counter import of_the_last
from services.intake.http import pdf, with_nonce
from services.intake.surveys import domain, papers, usecases, words
from services.intake.surveys.domain import Point
from services.intake.surveys.forms import PaperForm, PointForm
from services.intake.surveys.store import PAGE
from services.intake.surveys.usecases import Surveys

Desk = Annotated[Session, Depends(staff(Role.OFFICE, Role.CONTROL))]
UNAVAILABLE = (
    "Hệ thống tạm thời gián đoạn nên phiếu chưa được lưu. Nội dung đã nhập vẫn còn: xin đợi ít giây rồi bấm “Ghi phiếu” lần nữa."
)
WRONG_PERIOD = "Khoảng thời gian chưa đúng. Xin chọn ngày đầu và ngày cuối; ngày cuối không ở trước ngày đầu."
ENTERED = "Đã ghi phiếu. Có thể nhập phiếu tiếp theo."
REPEATED = "Phiếu này đã được ghi trước đó, không ghi thêm lần nữa."
_KEPT = ("given_on", "unit", "procedure")
"""What the next paper of a pile has in common with the last one."""


def router(surveys: Surveys, templates: Templates) -> APIRouter:
    """`/{agency}/tiep-nhan/khao-sat…`, for the office and the control unit."""
    routes = APIRouter(prefix="/{agency}/tiep-nhan/khao-sat", include_in_schema=False)
    desk = _Desk(surveys, templates)
    routes.get("")(desk.points)
    routes.post("")(desk.make)
    routes.get("/nhap")(desk.paper)
    routes.post("/nhap")(desk.enter)
    routes.get("/y-kien")(desk.texts)
    routes.post("/{slug}/dong")(desk.close)
    routes.get("/{slug}/ap-phich.pdf")(desk.poster)
    routes.get("/{slug}/phieu-giay.pdf")(desk.blank)
    return routes


class _Desk:
    def __init__(self, surveys: Surveys, templates: Templates) -> None:
        self._surveys = surveys
        self._templates = templates

    async def points(self, request: Request, session: Desk, agency: str) -> Response:  # noqa: ARG002 - the dependency guards
        """The codes that there are, and a form for another."""
        return await self._points(request, self._surveys.agency(agency), {}, {})

    async def make(self, request: Request, session: Desk, agency: str) -> Response:
        profile = self._surveys.agency(agency)
        submitted = await read_form(request)
        try:
            typed = submitted.parse(PointForm)
            await usecases.make_point(self._surveys, self._acting(profile, session), typed.unit, typed.procedure)
        except Invalid as error:
            return await self._points(request, profile, submitted.values, error.errors, status=422)
        return self._back(profile)

    async def close(self, session: Desk, agency: str, slug: str) -> Response:
        profile = self._surveys.agency(agency)
        await usecases.close_point(self._surveys, self._acting(profile, session), _slug(slug))
        return self._back(profile)

    async def poster(self, session: Desk, agency: str, slug: str) -> Response:  # noqa: ARG002
        """The QR code to hang up at the counter."""
        profile = self._surveys.agency(agency)
        point = await self._point(profile, slug)
        return pdf(await papers.poster(self._surveys, profile, point), "khao-sat-ap-phich.pdf")

    async def blank(self, session: Desk, agency: str, slug: str) -> Response:  # noqa: ARG002
        """The survey to fill in by hand."""
        profile = self._surveys.agency(agency)
        point = await self._point(profile, slug)
        return pdf(await papers.blank(self._surveys, profile, point), "khao-sat-phieu-giay.pdf")

    async def paper(self, request: Request, session: Desk, agency: str) -> Response:  # noqa: ARG002
        """The form for a paper, dated today or as the last one was."""
        profile = self._surveys.agency(agency)
        today = format_date(local_date(self._surveys.clock()))
        values = {"given_on": today, "nonce": secrets.token_urlsafe(16), **of_the_last(request.query_params, _KEPT)}
        flash = {"1": ENTERED, "0": REPEATED}.get(request.query_params.get("da-ghi", ""))
        return self._paper(request, profile, values, {}, flash=flash)

    async def enter(self, request: Request, session: Desk, agency: str) -> Response:
        """Keep a paper's answers and show the form for the next."""
        profile = self._surveys.agency(agency)
        submitted = await read_form(request)
        values = with_nonce(submitted)
        try:
            typed = submitted.parse(PaperForm)
            key = domain.page_key("entry", values["nonce"])
            acting = self._acting(profile, session)
            first = await usecases.enter(self._surveys, acting, typed.about(), key, typed.answers(), typed.given_at)
        except Invalid as error:
            return self._paper(request, profile, values, error.errors, status=422)
        except Unavailable:
            return self._paper(request, profile, values, {}, status=503, warning=UNAVAILABLE)
        kept = {name: values[name] for name in _KEPT if values.get(name)}
        return RedirectResponse(f"/{profile.code}/tiep-nhan/khao-sat/nhap?{urlencode({**kept, 'da-ghi': int(first)})}", 303)

    async def texts(self, request: Request, session: Desk, agency: str) -> Response:  # noqa: ARG002
        """What people wrote in a period, to read and to print."""
        profile = self._surveys.agency(agency)
        query = request.query_params
        current = quarter_of(self._surveys.clock())
        values = {
            "tu": query.get("tu", current.first_day.isoformat()),
            "den": query.get("den", current.last_day.isoformat()),
        }
        period, errors = _period(values, current)
        number = query.get("trang", "1")
        page = max(1, int(number)) if number.isdecimal() and len(number) < 6 else 1
        rows, total = await self._surveys.answers.texts(profile.code, period.start, period.end, page)
        procedures = procedures_of(profile)
        return self._page(
            request,
            profile,
            "texts.html",
            status=422 if errors else 200,
            rows=rows,
            total=total,
            unproven=await self._surveys.answers.unproven(profile.code, period.start, period.end),
            page=page,
            pages=-(-total // PAGE),
            period=period,
            units={unit.code: unit.name for unit in profile.units},
            procedures=procedures,
            ways=words.WAYS,
            criteria=words.CRITERIA,
            here=f"/{profile.code}/tiep-nhan/khao-sat/y-kien?{urlencode(values)}&trang=",
            values=values,
            errors=errors,
        )

    async def _points(
        self, request: Request, profile: Agency, values: Mapping[str, str], errors: Mapping[str, str], *, status: int = 200
    ) -> Response:
        procedures = procedures_of(profile)
        return self._page(
            request,
            profile,
            "points.html",
            status=status,
            points=await self._surveys.points.all(profile.code),
            shown=domain.shown,
            units=list(usecases.units_of(profile, self._surveys.clock()).items()),
            names={unit.code: unit.name for unit in profile.units},
            procedures=list(procedures.items()),
            procedure_names=procedures,
            labels=words.labels(),
            values=values,
            errors=errors,
        )

    def _paper(
        self,
        request: Request,
        profile: Agency,
        values: Mapping[str, str],
        errors: Mapping[str, str],
        *,
        status: int = 200,
        warning: str = "",
        flash: str | None = None,
    ) -> Response:
        return self._page(
            request,
            profile,
            "paper.html",
            status=status,
            headers={"Retry-After": "5"} if status == 503 else {},
            units=list(usecases.units_of(profile, self._surveys.clock()).items()),
            procedures=list(procedures_of(profile).items()),
            criteria=words.CRITERIA,
            labels=words.labels(),
            values=values,
            errors=errors,
            warning=warning,
            flash=flash,
        )

    async def _point(self, profile: Agency, slug: str) -> Point:
        """An open code. Raises `NotFound`."""
        point = await self._surveys.points.find(profile.code, _slug(slug))
        if point is None or point.closed:
            raise NotFound("survey point")
        return point

    def _acting(self, profile: Agency, session: Session) -> Acting:
        return Acting(profile.code, session.username, self._surveys.clock(), current_trace())

    def _back(self, profile: Agency) -> Response:
        return RedirectResponse(f"/{profile.code}/tiep-nhan/khao-sat", 303)

    def _page(self, request: Request, profile: Agency, name: str, **context: Any) -> Response:
        return self._templates.page(request, f"surveys/{name}", agency=face_of(profile), **context)


def _slug(text: str) -> str:
    """Raises `NotFound`."""
    if (slug := domain.parse_slug(text)) is None:
        raise NotFound("survey point")
    return slug


def _period(values: Mapping[str, str], default: Period) -> tuple[Period, dict[str, str]]:
    """The period of the days typed, or the default one and what is wrong with them."""
    try:
        return parse_period(f"{values['tu']}..{values['den']}"), {}
    except PeriodError:
        return default, {"den": WRONG_PERIOD}
