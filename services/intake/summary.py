"""What a filled-in form says, as its sender checks it before it is sent. Pure."""

from collections.abc import Mapping

from contracts.model import Participation
from kit.agency import Agency
from kit.web.rendering import format_phone
from services.intake.domain import Submission

PARTICIPATION: Mapping[Participation, str] = {
    Participation.IN_PERSON: "Dự trực tiếp tại Hội nghị",
    Participation.ONLINE: "Dự trực tuyến",
}


def facts(profile: Agency, submission: Submission) -> list[tuple[str, str]]:
    """Label and value of every field but the sections, in the form's order; an empty one says so."""
    person = submission.person.model_dump() | {"phone": format_phone(submission.person.phone) if submission.person.phone else ""}
    said = [(field.label, person[field.key]) for field in profile.form.fields]
    for field in profile.form.web_fields:
        if field.choices:
            chosen = str(getattr(submission, field.key) or "")
            said.append((field.label, next((choice.label for choice in field.choices if choice.value == chosen), "")))
        else:
            said.append((field.label, person[field.key]))
    if submission.participation is not None:
        said.append(("Cách dự Hội nghị", PARTICIPATION[submission.participation]))
    return [(label, value or "(để trống)") for label, value in said]


def sections(profile: Agency, submission: Submission) -> list[tuple[str, str]]:
    """Numbered title and own words of each filled section."""
    return [(f"{s.no}. {s.label}", submission.texts[s.no]) for s in profile.form.sections if s.no in submission.texts]
