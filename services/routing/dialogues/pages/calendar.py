"""The working calendar: the year's days off, "dự kiến" or confirmed; the office adds and confirms (S3)."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from kit.auth import Session
from kit.calendar import YearTable
from kit.clock import local
from kit.web import Submitted
from services.routing.dialogues import forms, usecases
from services.routing.dialogues.pages.desk import Desk, Office, Reader, base

KINDS = {
    "holiday": "Nghỉ lễ",
    "tet": "Nghỉ Tết",
    "compensation": "Nghỉ bù",
    "swap": "Nghỉ hoán đổi",
    "agency": "Văn phòng Sở bổ sung",
}


def router(desk: Desk) -> APIRouter:
    """`lich…`."""
    routes = APIRouter(prefix="/lich")
    routing = desk.routing

    async def calendar_page(
        request: Request, session: Session, year: int, form: str = "", submitted: Submitted | None = None, errors: Any = None
    ) -> Response:
        calendar = await routing.calendars.of(session.agency)
        row = await routing.calendars.row(session.agency)
        table = calendar.table(year)
        return desk.page(
            request,
            session,
            "calendar.html",
            status=422 if errors else 200,
            year=year,
            table=table,
            rows=_rows(table),
            kinds=KINDS,
            version=calendar.version,
            revision=row["revision"],
            recounting=row["recounted"] < row["revision"],
            entries=[e | {"on": date.fromisoformat(e["day"]) if "day" in e else None} for e in reversed(row["entries"][-50:])],
            form=form,
            shown={form: submitted.values} if submitted else {},
            errors=errors or {},
        )

    def again(request: Request, session: Session, year: int, form: str) -> Any:
        async def show(submitted: Submitted, errors: Mapping[str, str]) -> Response:
            return await calendar_page(request, session, year, form, submitted, errors)

        return show

    def this_year() -> int:
        return local(routing.clock()).year

    @routes.get("")
    async def calendar(request: Request, session: Reader, nam: int | None = Query(None, ge=2000, le=2099)) -> Response:
        return await calendar_page(request, session, nam or this_year())

    @routes.post("")
    async def change(request: Request, session: Office) -> Response:
        async def act(submitted: Submitted) -> None:
            form = submitted.parse(forms.CalendarForm)
            enter = usecases.add_day_off if form.what == "day_off" else usecases.add_working_day
            await enter(routing, desk.acting(session), form.day, form.name, form.reason, form.revision)

        return await desk.post(request, f"{base(session)}/lich", act, again(request, session, this_year(), "day"), "lich")

    @routes.post("/xac-nhan")
    async def confirm(request: Request, session: Office) -> Response:
        async def act(submitted: Submitted) -> None:
            form = submitted.parse(forms.ConfirmForm)
            await usecases.confirm_year(routing, desk.acting(session), form.year, form.source, form.revision)

        shown_again = again(request, session, this_year(), "confirm")
        return await desk.post(request, f"{base(session)}/lich", act, shown_again, "lich-xac-nhan")

    return routes


def _rows(table: YearTable) -> list[tuple[date, str, str]]:
    """Days off and swapped working days by date: (day, name, kind)."""
    off = [(entry.day, entry.name, KINDS[entry.kind]) for entry in table.days_off]
    worked = [(entry.day, entry.name, "Ngày làm việc") for entry in table.working_days]
    return sorted([*off, *worked])
