"""Pages of accounts and sessions: sign in, renew, sign out, one's own password, and the administrator's list."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from kit.acting import Acting
from kit.agency import Agency
from kit.auth import READ_SEALED, Expired, Role, Session, local_path, sign_in_path
from kit.clock import Clock
from kit.errors import Conflict, Invalid, NotFound
from kit.tracing import current_trace
from kit.web.faces import face_of
from kit.web.forms import Input, Line, read_form
from kit.web.guard import StaffGate, staff
from kit.web.rendering import Templates
from services.routing.staff import usecases
from services.routing.staff.domain import LOCK_FOR
from services.routing.staff.store import StaffStore

KEPT = "giu."
"""Prefix of a posted form's fields while its sender signs in again."""

PAGE = 50

ROLE_NAMES: Mapping[Role, str] = {
    Role.OFFICE: "Văn phòng Sở",
    Role.OFFICER: "Chuyên viên của đơn vị",
    Role.HEAD: "Trưởng đơn vị",
    Role.LEADERSHIP: "Lãnh đạo Sở",
    Role.CONTROL: "Bộ phận kiểm soát thủ tục hành chính",
    Role.ADMINISTRATOR: "Quản trị",
}

Administrator = Annotated[Session, Depends(staff(Role.ADMINISTRATOR))]
Anybody = Annotated[Session, Depends(staff())]


class _SignIn(Input):
    model_config = {**Input.model_config, "extra": "ignore"}
    required = {"username": "Xin nhập tên đăng nhập.", "password": "Xin nhập mật khẩu."}

    username: Line
    password: str
    ve: str = ""


class _Account(Input):
    required = {"name": "Xin nhập họ và tên.", "username": "Xin nhập tên đăng nhập."}

    username: Line = ""
    name: Line
    roles: list[str] = []
    unit: str | None = None
    permissions: list[str] = []
    password: str = ""


class _Password(Input):
    required = {"current": "Xin nhập mật khẩu đang dùng.", "password": "Xin nhập mật khẩu mới.", "again": "Xin nhập lại lần nữa."}

    current: str
    password: str
    again: str


class _Reset(Input):
    required = {"password": "Xin nhập mật khẩu mới."}

    password: str


class _Reason(Input):
    required = {"reason": "Xin ghi lý do khóa tài khoản."}

    reason: Line


def unit_names(agency: Agency) -> dict[str, str]:
    """Code → name, for selects and lists."""
    return {unit.code: unit.name for unit in agency.units}


def router(store: StaffStore, agencies: Mapping[str, Agency], templates: Templates, clock: Clock) -> APIRouter:
    """The routes below `/{agency}/can-bo/` that belong to accounts."""
    routes = APIRouter(prefix="/{agency}/can-bo", include_in_schema=False)

    def the(agency: str) -> Agency:
        if (found := agencies.get(agency)) is None:
            raise NotFound("agency")
        return found

    def acting(agency: str, actor: str) -> Acting:
        return Acting(agency, actor, clock(), current_trace())

    def page(request: Request, agency: str, name: str, *, status: int = 200, **context: Any) -> Response:
        return templates.page(request, f"staff/{name}", agency=face_of(the(agency)), status=status, **context)

    def sign_in_page(
        request: Request, agency: str, *, ve: str, kept: list[tuple[str, str]], status: int = 200, **context: Any
    ) -> Response:
        return page(request, agency, "sign_in.html", status=status, ve=local_path(agency, ve), kept=kept, **context)

    @routes.get("/dang-nhap")
    async def sign_in_form(request: Request, agency: str, ve: str = "") -> Response:
        return sign_in_page(request, agency, ve=ve, kept=[])

    @routes.post("/dang-nhap")
    async def sign_in(request: Request, agency: str) -> Response:
        the(agency)
        submitted = await read_form(request)
        kept = [(name.removeprefix(KEPT), value) for name, value in submitted.hidden() if name.startswith(KEPT)]
        ve = submitted.values.get("ve", "")
        values = {"username": submitted.values.get("username", "")}
        try:
            form = submitted.parse(_SignIn)
            session = await usecases.sign_in(store, acting(agency, "system:routing"), form.username, form.password)
        except Invalid as error:
            return sign_in_page(request, agency, ve=ve, kept=kept, status=422, values=values, errors=error.errors)
        except Conflict:
            minutes = int(LOCK_FOR.total_seconds() // 60)
            text = f"Tài khoản tạm nghỉ vì nhập sai nhiều lần. Xin thử lại sau {minutes} phút, hoặc nhờ quản trị đặt lại."
            return sign_in_page(request, agency, ve=ve, kept=kept, status=429, values=values, errors={"password": text})
        if session is None:
            text = "Tên đăng nhập hoặc mật khẩu chưa đúng. Xin kiểm tra và nhập lại."
            return sign_in_page(request, agency, ve=ve, kept=kept, status=422, values=values, errors={"password": text})
        gate: StaffGate = request.app.state.staff_gate
        target = local_path(agency, ve)
        response = (
            page(request, agency, "resume.html", target=target, kept=kept, token=gate.codec.csrf(session.id))
            if kept
            else RedirectResponse(target, 303)
        )
        gate.sign_in(response, session)
        return response

    @routes.api_route("/gia-han-phien", methods=["GET", "POST"])
    async def renew(request: Request, agency: str, ve: str = "") -> Response:
        """Renew a session whose 15 minutes are over and send the request back as it came: a POST keeps its content (307)."""
        the(agency)
        gate: StaffGate = request.app.state.staff_gate
        found = gate.read(request)
        known = found.session if isinstance(found, Expired) else found
        posted = request.method == "POST"
        target = local_path(agency, ve)
        try:
            if known is None or known.agency != agency:
                raise NotFound("session")
            session = await usecases.renew(store, acting(agency, known.username), known.id)
        except NotFound:
            if not posted:
                return RedirectResponse(f"{sign_in_path(agency)}?ve={target}", 303)
            submitted = await read_form(request)
            own = known is not None and gate.codec.csrf_matches(known.id, submitted.csrf)  # never another site's content
            return sign_in_page(request, agency, ve=target, kept=submitted.hidden() if own else [], status=401)
        response = RedirectResponse(target, 307 if posted else 303)
        gate.sign_in(response, session)
        return response

    @routes.post("/dang-xuat")
    async def sign_out(request: Request, agency: str, session: Anybody) -> Response:
        await store.close_session(session.id)
        response = RedirectResponse(sign_in_path(agency), 303)
        gate: StaffGate = request.app.state.staff_gate
        gate.sign_out(response)
        return response

    @routes.get("/mat-khau")
    async def password_form(request: Request, agency: str, session: Anybody) -> Response:
        return page(request, agency, "password.html")

    @routes.post("/mat-khau")
    async def change_password(request: Request, agency: str, session: Anybody) -> Response:
        try:
            form = (await read_form(request)).parse(_Password)
            if form.password != form.again:
                raise Invalid({"again": "Hai lần nhập mật khẩu mới chưa giống nhau."})
            act = acting(agency, session.username)
            if await usecases.password_is_right(store, act, session.username, form.current) is None:
                raise Invalid({"current": "Mật khẩu đang dùng chưa đúng."})
            await usecases.set_password(store, act, session.username, form.password)
        except Invalid as error:
            return page(request, agency, "password.html", status=422, errors=error.errors)
        return RedirectResponse(sign_in_path(agency), 303)

    @routes.get("/tai-khoan")
    async def accounts(request: Request, agency: str, session: Administrator, trang: int = 1) -> Response:
        pages = max(1, -(-await store.count_accounts(agency) // PAGE))
        number = min(max(trang, 1), pages)
        found = await store.list_accounts(agency, skip=(number - 1) * PAGE, limit=PAGE)
        context: dict[str, Any] = {"accounts": found, "page": number, "pages": pages, "role_names": ROLE_NAMES}
        return page(request, agency, "accounts.html", **context, unit_names=unit_names(the(agency)))

    @routes.get("/tai-khoan/moi")
    async def new_account(request: Request, agency: str, session: Administrator) -> Response:
        return account_page(request, agency, None)

    @routes.post("/tai-khoan/moi")
    async def create_account(request: Request, agency: str, session: Administrator) -> Response:
        submitted = await read_form(request)
        try:
            form = submitted.parse(_Account)
            await usecases.create_account(
                store,
                the(agency),
                acting(agency, session.username),
                username=form.username,
                name=form.name,
                roles=form.roles,
                unit=form.unit,
                permissions=form.permissions,
                password=form.password,
            )
        except Invalid as error:
            return account_page(request, agency, None, submitted.lists, error.errors)
        except Conflict as error:
            return account_page(request, agency, None, submitted.lists, {"username": str(error)})
        return RedirectResponse(f"/{agency}/can-bo/tai-khoan", 303)

    @routes.get("/tai-khoan/{username}")
    async def account(request: Request, agency: str, username: str, session: Administrator) -> Response:
        return account_page(request, agency, await the_account(agency, username))

    @routes.post("/tai-khoan/{username}")
    async def change_account(request: Request, agency: str, username: str, session: Administrator) -> Response:
        submitted = await read_form(request)
        try:
            form = submitted.parse(_Account)
            await usecases.change_account(
                store,
                the(agency),
                acting(agency, session.username),
                username=username,
                name=form.name,
                roles=form.roles,
                unit=form.unit,
                permissions=form.permissions,
            )
        except Invalid as error:
            return account_page(request, agency, await the_account(agency, username), submitted.lists, error.errors)
        return RedirectResponse(f"/{agency}/can-bo/tai-khoan", 303)

    @routes.post("/tai-khoan/{username}/mat-khau")
    async def reset_password(request: Request, agency: str, username: str, session: Administrator) -> Response:
        try:
            form = (await read_form(request)).parse(_Reset)
            await usecases.set_password(store, acting(agency, session.username), username, form.password)
        except Invalid as error:
            return account_page(request, agency, await the_account(agency, username), {}, error.errors)
        return RedirectResponse(f"/{agency}/can-bo/tai-khoan", 303)

    @routes.post("/tai-khoan/{username}/khoa")
    async def disable_account(request: Request, agency: str, username: str, session: Administrator) -> Response:
        try:
            form = (await read_form(request)).parse(_Reason)
            await usecases.disable_account(store, acting(agency, session.username), username, form.reason)
        except Invalid as error:
            return account_page(request, agency, await the_account(agency, username), {}, error.errors)
        except Conflict as error:
            return account_page(request, agency, await the_account(agency, username), {}, {"reason": str(error)})
        return RedirectResponse(f"/{agency}/can-bo/tai-khoan", 303)

    @routes.post("/tai-khoan/{username}/mo")
    async def enable_account(request: Request, agency: str, username: str, session: Administrator) -> Response:
        await usecases.enable_account(store, acting(agency, session.username), username)
        return RedirectResponse(f"/{agency}/can-bo/tai-khoan", 303)

    async def the_account(agency: str, username: str) -> dict[str, object]:
        found = await store.account(agency, username)
        if found is None:
            raise NotFound("account")
        return found

    def account_page(
        request: Request,
        agency: str,
        account: Mapping[str, object] | None,
        lists: Mapping[str, tuple[str, ...]] | None = None,
        errors: Mapping[str, str] | None = None,
    ) -> Response:
        chosen: Mapping[str, object] = lists or {
            "username": (account["username"],) if account else (),
            "name": (account["name"],) if account else (),
            "roles": account["roles"] if account else (),
            "unit": (account["unit"],) if account and account["unit"] else (),
            "permissions": account["permissions"] if account else (),
        }
        return page(
            request,
            agency,
            "account.html",
            status=422 if errors else 200,
            account=account,
            chosen=chosen,
            errors=errors or {},
            role_names=ROLE_NAMES,
            unit_names=unit_names(the(agency)),
            read_sealed=READ_SEALED,
        )

    return routes
