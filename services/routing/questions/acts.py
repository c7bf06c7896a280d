"""The acts of the staff desk: for each its address, words, form and when it is offered. The rules stay in domain.py.

An act is offered when the table of states lets this person do it; pressing it anyway is refused there all the same.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

from contracts.model import QuestionState
from kit.acting import Acting
from kit.errors import Invalid
from kit.mongo import Document
from kit.outbox import Decide
from kit.web.forms import FormDate, Input, Line, Text
from services.routing.context import Routing
from services.routing.questions import domain, feedback, publishing, states, usecases
from services.routing.questions.clocks import running_clock
from services.routing.questions.domain import Body, Draft, Stage, stage_of
from services.routing.questions.states import Party, Who, state_of
from services.routing.questions.usecases import Outcome, OutcomeKind

State = QuestionState


class NoForm(Input):
    seen: int


class ReasonForm(Input):
    required = {"reason": "Xin ghi lý do."}

    seen: int
    reason: Text


class UnitForm(Input):
    required = {"unit": "Xin chọn đơn vị."}

    seen: int
    unit: Line
    reason: Text = ""


class SplitForm(Input):
    required = {"part1": "Xin ghi nội dung thứ nhất.", "part2": "Xin ghi nội dung thứ hai.", "reason": "Xin ghi lý do."}

    seen: int
    part1: Text
    part2: Text
    part3: Text = ""
    part4: Text = ""
    reason: Text


class MergeForm(Input):
    required = {"into": "Xin chọn nội dung để gộp vào.", "reason": "Xin ghi lý do."}

    seen: int
    into: UUID
    reason: Text


class DraftForm(Input):
    """`then`: the act that hands the draft on in the same press."""

    seen: int
    then: Line = ""
    kind: Line = domain.ANSWER
    text: Text = ""
    legal_basis: Text = ""
    procedure: Line = ""
    body: Line = ""
    address: Line = ""
    phone: Line = ""
    site: Line = ""

    def draft(self) -> Draft:
        return Draft(self.kind, self.text, self.legal_basis, self.procedure, Body(self.body, self.address, self.phone, self.site))


class ExtendForm(Input):
    required = {"due_on": "Xin ghi hạn mới.", "reason": "Xin ghi lý do."}

    seen: int
    due_on: FormDate
    reason: Text


class NumberForm(Input):
    required = {"number": "Xin ghi số văn bản.", "on": "Xin ghi ngày văn bản."}

    seen: int
    number: Line
    on: FormDate


class UpperAnswerForm(NumberForm):
    required = {**NumberForm.required, "text": "Xin ghi ý kiến của cấp trên."}

    text: Text


class ForwardForm(NumberForm):
    required = {
        **NumberForm.required,
        "body": "Xin ghi tên cơ quan có thẩm quyền.",
        "address": "Xin ghi địa chỉ của cơ quan có thẩm quyền.",
        "phone": "Xin ghi điện thoại của cơ quan có thẩm quyền.",
    }

    body: Line
    address: Line
    phone: Line
    site: Line = ""
    legal_basis: Text = ""


class TextForm(Input):
    seen: int
    text: Text = ""


class PublishForm(Input):
    """`confirmed`: what looks personal in it was looked at and may be public."""

    required = {"public_question": "Xin ghi câu hỏi công khai.", "public_answer": "Xin ghi câu trả lời công khai."}

    seen: int
    public_question: Text
    public_answer: Text
    confirmed: Line = ""

    def wording(self) -> publishing.Wording:
        return publishing.Wording(self.public_question, self.public_answer)


class OutcomeForm(Input):
    required = {"outcome": "Xin chọn kết quả."}

    seen: int
    outcome: OutcomeKind
    text: Text = ""
    unit: Line = ""
    due: FormDate | None = None
    body: Line = ""
    address: Line = ""
    phone: Line = ""
    number: Line = ""
    reason: Text = ""

    def result(self) -> Outcome:
        return Outcome(
            self.outcome,
            self.text,
            self.unit or None,
            self.due,
            Body(self.body, self.address, self.phone),
            self.number or None,
            self.reason,
        )


DRAFT = "du-thao"

Run = Callable[[Routing, Acting, Who, UUID, Any], Awaitable[object]]
Offered = Callable[[Document, Who, datetime], bool]


@dataclass(frozen=True, slots=True)
class DeskAct:
    """One act. `done` is said afterwards; `fields` names the template's block of inputs, empty: a button alone does it;
    `hands_on`: it gives the draft to the next desk, so whoever writes the draft may press it under the draft.
    """

    slug: str
    label: str
    done: str
    form: type[Input]
    run: Run
    offered: Offered
    fields: str = ""
    hint: str = ""
    hands_on: bool = False
    tone: str = "secondary"
    first: Callable[[Document], Mapping[str, str]] = field(default=lambda _: {})


def _decided(make: Callable[[Acting, Who, Any], Decide]) -> Run:
    """An act that needs the question alone."""

    async def run(routing: Routing, acting: Acting, who: Who, question_id: UUID, form: Any) -> object:
        return await usecases.decide(routing, acting.agency, question_id, make(acting, who, form), seen=form.seen)

    return run


async def _draft(routing: Routing, acting: Acting, who: Who, question_id: UUID, form: DraftForm) -> None:
    """Keep the draft and, if it was asked for, hand it on: then it has to be complete before anything is written."""
    draft, onwards = form.draft(), BY_SLUG.get(form.then)
    if onwards is not None and (missing := draft.missing()):
        raise Invalid(missing)
    after = await usecases.decide(
        routing, acting.agency, question_id, lambda d: domain.drafted(d, acting, who, draft), seen=form.seen
    )
    if onwards is not None and onwards.hands_on:
        await onwards.run(routing, acting, who, question_id, NoForm(seen=after["seq"]))


def _to(*targets: State, frm: frozenset[State] | None = None) -> Offered:
    def offered(document: Document, who: Who, _now: datetime) -> bool:
        if frm is not None and state_of(document) not in frm:
            return False
        return bool(states.allowed(document, who) & set(targets))

    return offered


def _writing(party: Party, *stages: Stage) -> Offered:
    """Offered on a written answer whose draft is at one of `stages`."""

    def offered(document: Document, who: Who, _now: datetime) -> bool:
        return state_of(document) is State.TO_WRITE and stage_of(document) in stages and who.is_party(party, document)

    return offered


def _either(*ways: Offered) -> Offered:
    return lambda document, who, now: any(way(document, who, now) for way in ways)


def _office(*among: State) -> Offered:
    return lambda document, who, _now: who.is_party(Party.OFFICE, document) and state_of(document) in among


def _of_feedback(document: Document, who: Who, _now: datetime) -> bool:
    open_to_all = states.is_feedback(document) and states.is_open(document) and not document["sealed"]
    return open_to_all and who.is_party(Party.OFFICE, document)


def _not_of_feedback(way: Offered) -> Offered:
    return lambda document, who, now: not states.is_feedback(document) and way(document, who, now)


def _may_collect(document: Document, who: Who, now: datetime) -> bool:
    return state_of(document) is not State.COLLECTING and _of_feedback(document, who, now)


def _public_wording(document: Document) -> Mapping[str, str]:
    """The public wording; before the first publication what it is made from."""
    return {
        "public_question": document.get("public_question") or document.get("text") or "",
        "public_answer": document.get("public_answer") or document.get("answer") or "",
    }


def _can_extend(document: Document, who: Who, now: datetime) -> bool:
    clock = running_clock(document)
    return who.is_party(Party.OFFICE, document) and clock is not None and not clock["extended"] and now < clock["due_at"]


def _may_draft(document: Document, who: Who, _now: datetime) -> bool:
    return domain.may_draft(document, who)


def _is_open(document: Document, who: Who, _now: datetime) -> bool:
    return who.is_party(Party.OFFICE, document) and states.is_open(document)


def draft_values(document: Document) -> dict[str, str]:
    """The draft as its form shows it."""
    draft = domain.draft_of(document)
    return {
        "kind": draft.kind,
        "text": draft.text,
        "legal_basis": draft.legal_basis,
        "procedure": draft.procedure,
        "body": draft.body.name,
        "address": draft.body.address,
        "phone": draft.body.phone,
        "site": draft.body.site,
    }


def _proposed_unit(document: Document) -> Mapping[str, str]:
    return {"unit": (document.get("proposal") or {}).get("unit") or ""}


def _text_in_parts(document: Document) -> Mapping[str, str]:
    return {"part1": document.get("text", "")}


def _due(document: Document) -> Mapping[str, str]:
    clock = running_clock(document)
    return {"due_on": "" if clock is None else date.fromisoformat(clock["due_on"]).strftime("%d/%m/%Y")}


def _parts(form: SplitForm) -> list[str]:
    return [form.part1, form.part2, form.part3, form.part4]


_UNSENT = states.BEFORE_TRANSFER - {State.NEW}
_MEETING_HINT = "Dùng khi Hội nghị đã bắt đầu, đã kết thúc hoặc không tổ chức."

ACTS: tuple[DeskAct, ...] = (
    DeskAct(
        "chuyen", "Chuyển đơn vị", "Đã chuyển đơn vị; thời hạn bắt đầu tính.", UnitForm,
        lambda routing, acting, who, _id, form: usecases.transfer(routing, acting, who, _id, form.unit, seen=form.seen),
        _to(State.TRANSFERRED, frm=frozenset(_UNSENT)), "unit", tone="primary", first=_proposed_unit,
        hint="Thời hạn của đơn vị tính từ lúc chuyển; đơn vị được báo qua thư điện tử.",
    ),
    DeskAct(
        "de-xuat", "Đề xuất đơn vị khác", "Đã ghi đề xuất.", UnitForm,
        lambda routing, acting, who, _id, form: usecases.propose(
            routing, acting, who, _id, form.unit, form.reason, seen=form.seen
        ),
        _office(State.TRIAGE, State.PROPOSED), "unit_reason", first=_proposed_unit,
        hint="Đề xuất chưa làm phát sinh thời hạn; thời hạn chỉ tính khi chuyển.",
    ),
    DeskAct(
        "phan-loai-lai", "Đưa về phân loại", "Đã đưa về phân loại.", ReasonForm,
        _decided(lambda acting, who, form: lambda d: domain.to_triage(d, acting, who, form.reason)),
        _to(State.TRIAGE, frm=frozenset({State.PROPOSED, State.RETURNED})), "reason",
    ),
    DeskAct(
        "tach", "Tách nội dung", "Đã tách; mỗi phần nay là một nội dung.", SplitForm,
        _decided(lambda acting, who, form: lambda d: domain.split(d, acting, who, _parts(form), form.reason)),
        _office(*_UNSENT), "split", first=_text_in_parts,
        hint="Nội dung này giữ phần thứ nhất; mỗi phần còn lại thành một nội dung mới.",
    ),
    DeskAct(
        "gop", "Gộp vào nội dung khác", "Đã gộp; người đăng ký được trả lời chung.", MergeForm,
        lambda routing, acting, who, _id, form: usecases.merge(
            routing, acting, who, _id, form.into, form.reason, seen=form.seen
        ),
        _not_of_feedback(_to(State.MERGED)), "merge", hint="Người đăng ký được trả lời chung với nội dung được chọn.",
    ),
    DeskAct(
        "han-che", "Đưa vào hồ sơ hạn chế", "Đã đưa vào hồ sơ hạn chế.", ReasonForm,
        _decided(lambda acting, who, form: lambda d: domain.sealed(d, acting, who, domain.COMPLAINT, form.reason)),
        _to(State.SEALED), "reason", tone="danger",
        hint="Dùng khi nội dung có dấu hiệu khiếu nại, tố cáo. Sau đó chỉ người được giao quyền mới mở được.",
    ),
    DeskAct(
        DRAFT, "Lưu dự thảo", "Đã lưu dự thảo.", DraftForm,
        _draft,
        _may_draft, "draft", first=draft_values,
    ),
    DeskAct(
        "trinh-truong-don-vi", "Trình Trưởng đơn vị", "Đã trình Trưởng đơn vị.", NoForm,
        _decided(lambda acting, who, _form: lambda d: domain.to_head(d, acting, who)),
        _either(_to(State.AT_HEAD), _writing(Party.OFFICER, Stage.DRAFTING, Stage.SENT_BACK)), tone="primary",
        hands_on=True,
    ),
    DeskAct(
        "trinh-lanh-dao", "Trình lãnh đạo Sở", "Đã trình lãnh đạo Sở; thời hạn của đơn vị dừng tính.", NoForm,
        _decided(lambda acting, who, _form: lambda d: domain.submitted(d, acting, who)),
        _either(_to(State.SUBMITTED), _writing(Party.HEAD, Stage.DRAFTING, Stage.AT_HEAD, Stage.SENT_BACK)), tone="primary",
        hands_on=True,
    ),
    DeskAct(
        "tra-chuyen-vien", "Trả lại chuyên viên", "Đã trả lại chuyên viên.", ReasonForm,
        _decided(lambda acting, who, form: lambda d: domain.back_to_officer(d, acting, who, form.reason)),
        _either(_to(State.TRANSFERRED, frm=frozenset({State.AT_HEAD})), _writing(Party.HEAD, Stage.AT_HEAD)), "reason",
    ),
    DeskAct(
        "chuyen-lai", "Chuyển lại Văn phòng", "Đã chuyển lại Văn phòng Sở.", ReasonForm,
        _decided(lambda acting, who, form: lambda d: domain.returned(d, acting, who, form.reason)),
        _to(State.RETURNED), "reason", hint="Dùng khi nội dung không thuộc trách nhiệm của đơn vị.",
    ),
    DeskAct(
        "duyet", "Duyệt", "Đã duyệt.", NoForm,
        _decided(lambda acting, who, _form: lambda d: domain.approved(d, acting, who)),
        _either(_to(State.READY), _writing(Party.LEADERSHIP, Stage.SUBMITTED)), tone="primary",
        hint="Câu trả lời sẵn sàng cho Hội nghị; văn bản hướng dẫn gửi ngay đến người đăng ký; kiến nghị chuyển lên cấp trên.",
    ),
    DeskAct(
        "yeu-cau-hoan-thien", "Yêu cầu hoàn thiện", "Đã yêu cầu hoàn thiện.", ReasonForm,
        _decided(lambda acting, who, form: lambda d: domain.sent_back(d, acting, who, form.reason)),
        _either(_to(State.SENT_BACK), _writing(Party.LEADERSHIP, Stage.SUBMITTED, Stage.APPROVED)), "reason",
    ),
    DeskAct(
        "gia-han", "Gia hạn một lần", "Đã gia hạn; người đăng ký được báo hạn mới.", ExtendForm,
        lambda routing, acting, who, _id, form: usecases.extend(
            routing, acting, who, _id, form.due_on, form.reason, seen=form.seen
        ),
        _can_extend, "extend", first=_due, hint="Chỉ một lần, trước khi hết hạn; người đăng ký nhận thư xin lỗi và hạn mới.",
    ),
    DeskAct(
        "tra-loi", "Ghi số văn bản trả lời", "Đã trả lời bằng văn bản.", NumberForm,
        _decided(lambda acting, who, form: lambda d: domain.answered(d, acting, who, form.number, form.on)),
        _writing(Party.OFFICE, Stage.APPROVED), "number", tone="primary",
        hint="Văn bản trả lời được gửi đến người đăng ký; thời hạn tính đến ngày của văn bản.",
    ),
    DeskAct(
        "so-kien-nghi", "Ghi số văn bản kiến nghị", "Đã ghi số văn bản kiến nghị.", NumberForm,
        _decided(lambda acting, who, form: lambda d: domain.escalation_numbered(d, acting, who, form.number, form.on)),
        _office(State.ESCALATED), "number",
    ),
    DeskAct(
        "y-kien-cap-tren", "Chuyển ý kiến của cấp trên", "Đã chuyển ý kiến của cấp trên đến người đăng ký.", UpperAnswerForm,
        _decided(lambda acting, who, form: lambda d: domain.escalated_done(d, acting, who, form.text, form.number, form.on)),
        _office(State.ESCALATED), "upper", tone="primary",
    ),
    DeskAct(
        "ket-qua", "Ghi kết quả tại Hội nghị", "Đã ghi kết quả.", OutcomeForm,
        lambda routing, acting, who, _id, form: usecases.record_outcome(
            routing, acting, _id, form.result(), who=who, seen=form.seen
        ),
        _not_of_feedback(_is_open), "outcome", hint=_MEETING_HINT,
    ),
    DeskAct(
        "rut", "Ghi nhận người đăng ký rút", "Đã ghi nhận việc rút nội dung.", ReasonForm,
        _decided(lambda acting, who, form: lambda d: domain.withdrawn(d, acting, who, form.reason)),
        _is_open, "reason", hint="Ghi ai đã báo, khi nào, bằng cách nào.",
    ),
    DeskAct(
        "phan-anh", "Chuyển thành phản ánh, kiến nghị", "Đã chuyển thành phản ánh, kiến nghị.", ReasonForm,
        _decided(lambda acting, who, form: lambda d: domain.to_feedback(d, acting, who, form.reason)),
        _not_of_feedback(_is_open), "reason",
        hint="Nội dung được xử lý tiếp như phản ánh, kiến nghị, với thời hạn riêng; mã tra cứu và ngày tiếp nhận không đổi.",
    ),
    DeskAct(
        "chuyen-co-quan", "Chuyển cơ quan có thẩm quyền", "Đã chuyển cơ quan có thẩm quyền; người gửi được báo.", ForwardForm,
        _decided(
            lambda acting, who, form: lambda d: feedback.forwarded(
                d, acting, who, Body(form.body, form.address, form.phone, form.site), form.legal_basis, form.number, form.on
            )
        ),
        _of_feedback, "forward",
        hint="Dùng khi nội dung thuộc thẩm quyền của cơ quan khác. Phải chuyển trong thời hạn tính từ ngày tiếp nhận.",
    ),
    DeskAct(
        "hoi-them", "Đề nghị bổ sung thông tin", "Đã gửi thư đề nghị bổ sung thông tin.", TextForm,
        _decided(lambda acting, who, form: lambda d: feedback.asked(d, acting, who, form.text)),
        _of_feedback, "wanted", hint="Người gửi nhận thư nêu những thông tin cần bổ sung. Thời hạn vẫn tiếp tục tính.",
    ),
    DeskAct(
        "bo-sung", "Ghi thông tin bổ sung", "Đã ghi thông tin bổ sung.", TextForm,
        _decided(lambda acting, who, form: lambda d: feedback.added(d, acting, who, form.text)),
        _of_feedback, "added", hint="Ghi đúng như người gửi bổ sung qua thư, điện thoại hoặc trực tiếp.",
    ),
    DeskAct(
        "tap-hop", "Chưa đủ cơ sở, tiếp tục tập hợp", "Đã ghi nhận, tiếp tục tập hợp; thời hạn dừng tính.", ReasonForm,
        _decided(lambda acting, who, form: lambda d: feedback.collecting(d, acting, who, form.reason)),
        _may_collect, "reason", hint="Không tính thời hạn cho đến khi tiếp tục xử lý; người gửi được báo kèm lý do.",
    ),
    DeskAct(
        "tiep-tuc", "Tiếp tục xử lý", "Đã tiếp tục xử lý; thời hạn tính lại từ hôm nay.", ReasonForm,
        lambda routing, acting, who, _id, form: usecases.take_up(routing, acting, who, _id, form.reason, seen=form.seen),
        _office(State.COLLECTING), "reason", tone="primary",
    ),
    DeskAct(
        "cong-khai", "Công khai hỏi đáp", "Đã công khai trong mục Hỏi đáp.", PublishForm,
        lambda routing, acting, who, _id, form: usecases.publish(
            routing, acting, who, _id, form.wording(), confirmed=bool(form.confirmed), seen=form.seen
        ),
        lambda document, who, _now: publishing.may_publish(document, who), "publish", first=_public_wording,
        hint="Mọi người đọc được lời công khai dưới đây. Xin viết lại cho dễ hiểu và bỏ mọi thông tin cá nhân của người hỏi.",
    ),
    DeskAct(
        "thoi-cong-khai", "Thôi công khai", "Đã thôi công khai.", ReasonForm,
        _decided(lambda acting, who, form: lambda d: publishing.unpublished(d, acting, who, form.reason)),
        lambda document, who, _now: publishing.may_publish(document, who) and publishing.is_public(document), "reason",
    ),
)  # fmt: skip

BY_SLUG: Mapping[str, DeskAct] = {act.slug: act for act in ACTS}


def offered(document: Document, who: Who, now: datetime) -> list[DeskAct]:
    """The acts this person may do on the question now."""
    return [act for act in ACTS if act.offered(document, who, now)]
