"""What the pages share: the routing's parts, the acting person, what was just done, how a refused form is shown again."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.datastructures import URL, UploadFile
from starlette.responses import RedirectResponse, Response

from kit.acting import Acting
from kit.agency import Agency
from kit.auth import Role, Session
from kit.errors import Conflict, Invalid, NotFound
from kit.mongo import Document
from kit.web import Submitted, Templates, current_trace, read_form, staff
from kit.web.faces import face_of
from services.routing.context import Routing
from services.routing.dialogues import store
from services.routing.dialogues.usecases import MAX_SIGNED_FILE

Office = Annotated[Session, Depends(staff(Role.OFFICE))]
Leadership = Annotated[Session, Depends(staff(Role.LEADERSHIP))]
_reader = Depends(staff(Role.OFFICE, Role.LEADERSHIP))
Reader = Annotated[Session, _reader]
READERS = (_reader,)
"""For pages that need to know only that one may read."""

Again = Callable[[Submitted, Mapping[str, str]], Awaitable[Response]]
"""Shows the page again with what was typed and what was wrong."""

DONE = {
    "ke-hoach": "Đã công bố kế hoạch.",
    "sua-ke-hoach": "Đã lưu thay đổi của kế hoạch.",
    "niem-yet": "Đã ghi nơi và ngày niêm yết, đăng tải.",
    "them-hoi-nghi": "Đã thêm hội nghị vào kế hoạch.",
    "sua-hoi-nghi": "Đã lưu thời gian, địa điểm của Hội nghị.",
    "huy-hoi-nghi": "Đã ghi nhận hủy Hội nghị; người đăng ký được báo.",
    "thong-nhat": "Đã ghi nhận việc thống nhất nội dung và đối tượng đối thoại.",
    "trinh-bao-cao": "Đã ghi nhận đã trình báo cáo tổng hợp.",
    "giay-moi": "Đã lưu dự thảo giấy mời.",
    "giay-moi-ban-ky": "Đã tải lên giấy mời đã ký.",
    "giay-moi-so": "Đã ghi số, ngày của giấy mời.",
    "giay-moi-phat-hanh": "Đã phát hành giấy mời; giấy mời đang được gửi đến từng người.",
    "giay-moi-gui-tiep": "Giấy mời đang được gửi tiếp cho người chưa được mời.",
    "tham-du": "Đã ghi việc tham dự.",
    "ket-qua": "Đã ghi kết quả của nội dung.",
    "vang-mat": "Đã ghi gửi nội dung trả lời đã duyệt cho người vắng mặt.",
    "vang-mat-khong": "Không có người vắng mặt nào còn nội dung trả lời đã duyệt chưa gửi.",
    "phat-sinh": "Đã ghi phát biểu phát sinh tại Hội nghị.",
    "da-to-chuc": "Đã ghi nhận Hội nghị đã tổ chức.",
    "ket-luan": "Đã lưu nội dung thông báo kết luận.",
    "ket-luan-ban-ky": "Đã tải lên thông báo kết luận đã ký.",
    "ket-luan-so": "Đã ghi số, ngày của thông báo kết luận.",
    "ket-luan-phat-hanh": "Đã hoàn tất việc kết luận; kết quả đang được gửi đến từng người.",
    "lich": "Đã thêm vào lịch; các thời hạn đang mở được tính lại.",
    "lich-xac-nhan": "Đã xác nhận lịch nghỉ của năm.",
}
"""What a page says of the act before it, by the act's code in the address (`da`): nothing that stands there is shown."""


@dataclass(frozen=True, slots=True)
class Desk:
    """The pages' way to the use cases."""

    routing: Routing
    templates: Templates

    def agency(self, code: str) -> Agency:
        """Raises `NotFound` for an unknown code."""
        if (found := self.routing.agencies.get(code)) is None:
            raise NotFound("agency")
        return found

    def acting(self, session: Session) -> Acting:
        return Acting(session.agency, session.username, self.routing.clock(), current_trace())

    async def plan(self, agency: str, plan_id: str) -> Document:
        return await self.routing.plans.get(plan_id, agency)

    async def dialogue(self, agency: str, dialogue_id: str) -> Document:
        """Raises `NotFound`."""
        found = await store.dialogue(self.routing.dialogues.collection, agency, dialogue_id)
        if found is None:
            raise NotFound("dialogue")
        return found

    def page(self, request: Request, session: Session, name: str, *, status: int = 200, **context: Any) -> Response:
        """A page of this capability, which says on top what was just done; `office`: the person may act here, not only read."""
        return self.templates.page(
            request,
            f"dialogues/{name}",
            agency=face_of(self.agency(session.agency)),
            status=status,
            office=session.has(Role.OFFICE),
            now=self.routing.clock(),
            iso_date=date.fromisoformat,
            **({"flash": just_done(request)} | context),
        )

    async def post(
        self,
        request: Request,
        to: str,
        act: Callable[[Submitted], Awaitable[object]],
        again: Again,
        done: str,
        conflict: Mapping[str, str] | None = None,
    ) -> Response:
        """Carry out a posted form and go to `to`, which says what was `done`; what is invalid is shown again with what was typed.

        So is, with the sentence of `conflict`, what the present state does not allow; without one the `Conflict` goes on.
        """
        submitted = await read_form(request)
        try:
            await act(submitted)
        except Invalid as error:
            return await again(submitted, error.errors)
        except Conflict:
            if conflict is None:
                raise
            page = await again(submitted, conflict)
            page.status_code = 409
            return page
        return after(to, done)


def after(to: str, done: str) -> Response:
    """After a POST: to a page that says what was `done`, a code of `DONE`."""
    return RedirectResponse(str(URL(to).include_query_params(da=done)), 303)


def just_done(request: Request) -> str | None:
    """The sentence of what was done before this page, if anything was."""
    return DONE.get(request.query_params.get("da", ""))


def base(session: Session) -> str:
    """/son-la/can-bo."""
    return f"/{session.agency}/can-bo"


async def uploaded(submitted: Submitted) -> bytes:
    """The content of the form's `file`, read no further than the limit. Raises `Invalid` when none was chosen."""
    files: tuple[UploadFile, ...] = submitted.files.get("file", ())
    if not files:
        raise Invalid({"file": "Xin chọn tệp PDF của bản đã ký"})
    return await files[-1].read(MAX_SIGNED_FILE + 1)


def pdf(content: bytes, name: str) -> Response:
    """A PDF to look at in the browser."""
    return Response(content, media_type="application/pdf", headers={"Content-Disposition": f'inline; filename="{name}"'})
