"""An agency's face on pages, from its profile."""

from collections.abc import Callable, Mapping

from kit.agency import Agency
from kit.web.rendering import AgencyFace


def face_of(agency: Agency) -> AgencyFace:
    """What every page shows of the agency."""
    return AgencyFace(
        code=agency.code,
        name=agency.full_name,
        superior=agency.superior,
        address=agency.contacts.address,
        phone=agency.contacts.phone,
        email=agency.contacts.email,
        hours=agency.office_hours.in_words,
        hotline=agency.contacts.hotline or "",
        emblem=f"/{agency.code}/bieu-trung.svg" if agency.emblem else "",
    )


def faces_of(agencies: Mapping[str, Agency]) -> Callable[[str], AgencyFace | None]:
    """Finds the face of an agency's code; for `Templates(faces=…)`."""
    faces = {code: face_of(agency) for code, agency in agencies.items()}
    return faces.get
