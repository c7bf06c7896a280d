"""The public site on sample data held in memory: for what concerns pages alone and needs no database."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

import httpx
from fastapi import FastAPI
from pydantic import SecretStr

from contracts.model import ConclusionItem, DialogueState, PlanState, PublicNotice, QuestionState, QuestionStateData
from deploy.local.downloads import font_dir
from kit.agency import load_calendars
from kit.calendars import CalendarProjection
from services.intake.announcements import Announcements
from services.intake.bootstrap import bootstrap
from services.intake.domain import Dialogue, Plan
from services.intake.settings import IntakeSettings
from services.intake.site.domain import Answer, published
from services.intake.usecases import Intake

NOW = datetime(2026, 4, 20, 2, 30, tzinfo=UTC)
HALL = "Hội trường Sở Khoa học và Công nghệ - Tầng 3, tòa nhà 6T1, Khu Quảng trường Tây Bắc, thành phố Sơn La"
SCIENCE, MEASURE, TECHNOLOGY = (
    "Về lĩnh vực quản lý khoa học",
    "Về lĩnh vực tiêu chuẩn đo lường chất lượng",
    "Về lĩnh vực quản lý công nghệ và chuyên ngành",
)
ANSWERS = (
    (SCIENCE, "Hồ sơ đăng ký chủ trì đề tài khoa học cấp tỉnh gồm những giấy tờ gì, nộp ở đâu?",
     "Hồ sơ gồm đơn đăng ký, thuyết minh đề tài, lý lịch khoa học của chủ nhiệm và các thành viên chính. "
     "Nộp trực tuyến, qua bưu điện hoặc trực tiếp tại Trung tâm Phục vụ hành chính công tỉnh."),
    (MEASURE, "Cơ sở kinh doanh xăng dầu phải kiểm định cột đo xăng dầu bao lâu một lần?",
     "Chu kỳ kiểm định cột đo xăng dầu là 12 tháng. Trước khi hết hạn, cơ sở gửi yêu cầu đến tổ chức kiểm định được chỉ định."),
    (TECHNOLOGY, "Hợp tác xã muốn đăng ký nhãn hiệu tập thể cho sản phẩm chè thì bắt đầu từ đâu?",
     "Hợp tác xã chuẩn bị quy chế sử dụng nhãn hiệu tập thể, mẫu nhãn hiệu và tờ khai, nộp đến Cục Sở hữu trí tuệ. "
     "Sở hướng dẫn miễn phí việc soạn quy chế và tra cứu trước khi nộp."),
    (TECHNOLOGY, "Phòng khám mới lắp máy X-quang cần giấy phép gì và bao lâu thì có?",
     "Phòng khám cần giấy phép tiến hành công việc bức xạ; người phụ trách an toàn cần chứng chỉ nhân viên bức xạ."),
    (MEASURE, "Doanh nghiệp nhỏ có được miễn phí mã số mã vạch không?",
     "Hiện chưa có quy định miễn phí; Sở tiếp thu và kiến nghị cấp có thẩm quyền xem xét."),
)  # fmt: skip
PLAN = "son-la-2026"


def answer_state(n: int, section: str, question: str, answer: str, **changes: Any) -> QuestionStateData:
    fields: dict[str, Any] = {
        "case": UUID(int=n), "case_number": f"SL-2026-{n:06d}", "section_title": section, "state": QuestionState.ANSWERED,
        "dialogue": f"{PLAN}-1", "public_question": question, "public_answer": answer,
        "published_on": date(2026, 3, 1) + timedelta(days=n), "outcome_on": date(2026, 2, 20) + timedelta(days=n),
    }  # fmt: skip
    return QuestionStateData.model_validate(fields | changes)


def question_id(n: int) -> UUID:
    return uuid5(UUID(int=7), str(n))


class HeldAnswers:
    """Published answers without a database, found by the same keys."""

    def __init__(self, states: Sequence[QuestionStateData]) -> None:
        kept = [(question_id(n), state) for n, state in enumerate(states)]
        self._held = [(published(_id, state), state) for _id, state in kept]

    def _shown(self, keys: Sequence[str], *, every: bool) -> list[Answer]:
        found = []
        for public, state in self._held:
            if public is not None and (all if every else any)(key in public["keys"] for key in keys):
                texts = (state.section_title or "", state.public_question or "", state.public_answer or "")
                days = date.fromisoformat(public["on"]), state.published_on
                found.append(Answer(public["id"], *texts, *days, state.dialogue))
        return sorted(found, key=lambda one: one.answered_on, reverse=True)

    async def one(self, agency: str, public_id: str) -> Answer | None:
        return next((a for a in self._shown([], every=True) if a.id == public_id), None)

    async def having(self, agency: str, keys: Sequence[str], *, page: int = 1, size: int = 10) -> list[Answer]:
        return self._shown(keys, every=True)[(page - 1) * size : page * size]

    async def count(self, agency: str, keys: Sequence[str]) -> int:
        return len(self._shown(keys, every=True))

    async def years(self, agency: str) -> list[int]:
        return sorted({one.answered_on.year for one in self._shown([], every=True)}, reverse=True)

    async def having_any(self, agency: str, keys: Sequence[str]) -> list[Answer]:
        return self._shown(keys, every=False)


class _HeldPlans:
    def __init__(self, plans: Sequence[Plan]) -> None:
        self._plans = tuple(plans)

    async def plans(self, agency: str) -> tuple[Plan, ...]:
        return self._plans


class _NothingEntered:
    async def find_one(self, query: object) -> None:
        return None


def sample_plans() -> list[Plan]:
    """A plan of this year with a dialogue that is open, one announced, and last year's with its conclusion."""
    title = "Tổ chức đối thoại trực tiếp với tổ chức, cá nhân về thủ tục hành chính và giải quyết thủ tục hành chính năm {}"
    this = PlanState(
        number="08/KH-SKHCN", year=2026, title=title.format(2026), issued_on=date(2026, 1, 5), sample=True,
        subjects="Tổ chức, cá nhân trên địa bàn tỉnh có kiến nghị, phản ánh",
        chair="Giám đốc Sở hoặc Phó Giám đốc Sở khi được ủy quyền", opens_at=datetime(2026, 1, 5, tzinfo=UTC),
        postings=("Trang thông tin điện tử Sở", "Trung tâm Phục vụ hành chính công tỉnh", "UBND các xã, phường"),
    )  # fmt: skip
    common = {"plan_number": this.number, "plan_title": this.title, "place": HALL, "chair": "Giám đốc Sở"}
    first = DialogueState(
        plan=PLAN, year=2026, ordinal=1, closes_at=datetime(2026, 5, 8, 10, 30, tzinfo=UTC),
        starts_at=datetime(2026, 5, 15, 1, 0, tzinfo=UTC), invitations_due=date(2026, 5, 12), **common,
    )  # fmt: skip
    second = DialogueState(plan=PLAN, year=2026, ordinal=2, window_from=date(2026, 10, 1), window_to=date(2026, 12, 31), **common)
    notice = PublicNotice(
        number="35/TB-SKHCN", issued_on=date(2025, 11, 27), opening="Hội nghị đã xem xét 21 nội dung.",
        items=(
            ConclusionItem(heading="Những nội dung đã được giải đáp tại Hội nghị", text="Nội dung số 1, 2, 4 và 7."),
            ConclusionItem(heading="Những nội dung giao trả lời bằng văn bản", text="Giao Chi cục TĐC trả lời nội dung số 3."),
        ),
        closing="Trên đây là kết luận của Giám đốc Sở tại Hội nghị đối thoại./.",
    )  # fmt: skip
    last = PlanState(number="06/KH-SKHCN", year=2025, title=title.format(2025), issued_on=date(2025, 1, 6))
    held = DialogueState(
        plan="son-la-2025", year=2025, ordinal=1, starts_at=datetime(2025, 11, 20, 1, 0, tzinfo=UTC), status="held",
        notice=notice, **common,
    )  # fmt: skip
    return [
        Plan(PLAN, this, (Dialogue(f"{PLAN}-1", first), Dialogue(f"{PLAN}-2", second))),
        Plan("son-la-2025", last, (Dialogue("son-la-2025-1", held),)),
    ]


def public_site(
    *,
    now: datetime = NOW,
    plans: Sequence[Plan] | None = None,
    answers: Sequence[QuestionStateData] | None = None,
    proof_cost: int = 0,
) -> tuple[FastAPI, Intake]:
    """Intake's application; neither MongoDB nor Kafka is asked for anything."""
    settings = IntakeSettings(
        session_secret=SecretStr("s" * 40), code_secret=SecretStr("c" * 40), session_secure=False, fonts_dir=font_dir(),
        public_url="https://doi-thoai.example", log_level="ERROR", proof_cost=proof_cost,
    )  # fmt: skip
    app, _, intake = bootstrap(settings, clock=lambda: now)
    held = [answer_state(n, *texts) for n, texts in enumerate(ANSWERS)] if answers is None else answers
    object.__setattr__(intake, "answers", HeldAnswers(held))
    announced = Announcements(_HeldPlans(sample_plans() if plans is None else plans))  # type: ignore[arg-type]
    object.__setattr__(intake, "announcements", announced)
    calendars = load_calendars(settings.agencies_dir, intake.agencies)
    object.__setattr__(intake, "calendars", CalendarProjection(calendars, _NothingEntered()))  # type: ignore[arg-type]
    return app, intake


def visitor(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app, raise_app_exceptions=False), base_url="http://intake")
