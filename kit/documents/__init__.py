"""Official documents as PDF, in the layout of NĐ 30/2020 (appendix I): `render_pdf(document, fonts_dir) -> bytes`.

The blank form and the plan also as DOCX, to be filled in or reworked: `docx.py`.

The models say what each document needs; the `.typ` templates, one per document, say how it looks; `layout.typ` holds what
they share. Rendering is a pure function of its input and costs CPU: call it in a thread.
"""

from kit.documents.models import (
    DRAFT,
    NO_TASKS,
    SAMPLE,
    BlankForm,
    Conclusion,
    ConclusionItem,
    ConclusionNotice,
    DatedAt,
    Document,
    FormSection,
    Invitation,
    NoticeBoard,
    OfficialDocument,
    OfficialLetter,
    PersonalSlip,
    PlainLetter,
    PlanPaper,
    PlanPart,
    PostedAnswer,
    ReceiptSlip,
    Signer,
    SlipQuestion,
    SurveyPaper,
    SurveyPoster,
)
from kit.documents.qr import qr_svg
from kit.documents.render import DocumentFailed, FontsMissing, render_pdf

__all__ = [
    "DRAFT",
    "NO_TASKS",
    "SAMPLE",
    "BlankForm",
    "Conclusion",
    "ConclusionItem",
    "ConclusionNotice",
    "DatedAt",
    "Document",
    "DocumentFailed",
    "FontsMissing",
    "FormSection",
    "Invitation",
    "NoticeBoard",
    "OfficialDocument",
    "OfficialLetter",
    "PersonalSlip",
    "PlainLetter",
    "PlanPaper",
    "PlanPart",
    "PostedAnswer",
    "ReceiptSlip",
    "Signer",
    "SlipQuestion",
    "SurveyPaper",
    "SurveyPoster",
    "qr_svg",
    "render_pdf",
]
