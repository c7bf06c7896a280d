"""What a filled-in form says, as its sender checks it before it is sent. Pure."""

from collections.abc import Mapping

from contracts.model import Participation
from kit.agency import Agency, WebField
from kit.feedback import FeedbackGroups
from kit.web.rendering import format_phone
from services.intake.domain import Submission
from services.intake.feedback.domain import Feedback

PARTICIPATION: Mapping[Participation, str] = {
    Participation.IN_PERSON: "Dự trực tiếp tại Hội nghị",
    Participation.ONLINE: "Dự trực tuyến",
}
Facts = list[tuple[str, str]]
"""Labels with values."""


def facts(profile: Agency, submission: Submission) -> Facts:
    """Label and value of every field but the sections, in the form's order; an empty one says so."""
    person = _person(submission)
    said = [(field.label, person[field.key]) for field in profile.form.fields]
    said += [(field.label, _said(field, submission)) for field in profile.form.web_fields]
    if submission.participation is not None:
        said.append(("Cách dự Hội nghị", PARTICIPATION[submission.participation]))
    return _with_blanks(said)


def sections(profile: Agency, submission: Submission) -> Facts:
    """Numbered title and own words of each filled section."""
    return [(f"{s.no}. {s.label}", submission.texts[s.no]) for s in profile.form.sections if s.no in submission.texts]


def sender(profile: Agency, feedback: Feedback, labels: Mapping[str, str]) -> Facts:
    """As `facts`, of who sends feedback. `labels`: of the form's fields."""
    person = _person(feedback)
    said = [(labels[name], person[name]) for name in ("name", "address", "phone", "email")]
    said += [(labels[field.key], _said(field, feedback)) for field in profile.form.web_fields if field.key != "email"]
    return _with_blanks(said)


def about(groups: FeedbackGroups, feedback: Feedback, labels: Mapping[str, str]) -> Facts:
    """What feedback says of its content beside the text."""
    group = groups.label(feedback.group) or groups.unsure.label
    return _with_blanks([(labels["group"], group), (labels["procedure"], feedback.procedure)])


def _person(filled: Submission | Feedback) -> dict[str, str]:
    return filled.person.model_dump() | {"phone": format_phone(filled.person.phone) if filled.person.phone else ""}


def _said(field: WebField, filled: Submission | Feedback) -> str:
    """What a field holds that only the form on the web has; of a choice its words."""
    if not field.choices:
        return str(getattr(filled.person, field.key))
    chosen = str(getattr(filled, field.key) or "")
    return next((choice.label for choice in field.choices if choice.value == chosen), "")


def _with_blanks(said: Facts) -> Facts:
    return [(label, value or "(để trống)") for label, value in said]
