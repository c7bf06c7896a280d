"""What the acts work on: a registration, or feedback, as a form of sections (a "sheet"). One implementation serves both.

A sheet is the stored document with its `source`. Of feedback it is a form of one section; what an act changes of it is put back
as feedback keeps it (services/intake/feedback/documents.py).
"""

from collections.abc import Callable, Mapping
from uuid import UUID

from contracts.model import CaseSource
from kit.agency import Agency
from kit.mongo import Document
from kit.outbox import Change
from services.intake.feedback import documents as feedback
from services.intake.usecases import Intake, Releases

Decision = Callable[[Document], Change | None]


def source_of(sheet: Document) -> CaseSource:
    """As what it came to the agency; what the office made of it is the case's (D3)."""
    return CaseSource(sheet.get("source", CaseSource.REGISTRATION))


def sheet_of(source: CaseSource, document: Document) -> Document:
    """A stored document as a sheet."""
    return feedback.as_sheet(document) if source is CaseSource.FEEDBACK else {**document, "source": source}


async def by_code(intake: Intake, agency: str, code_hash: bytes) -> Document | None:
    """The sheet of a tracking code, whatever it came as."""
    for source, kept in intake.releases.items():
        if (document := await kept.store.by_code(agency, code_hash)) is not None:
            return sheet_of(source, document)
    return None


async def by_id(intake: Intake, agency: str, _id: UUID) -> Document | None:
    """The sheet of an id."""
    for source, kept in intake.releases.items():
        if (document := await kept.store.by_id(agency, _id)) is not None:
            return sheet_of(source, document)
    return None


async def again(intake: Intake, sheet: Document) -> Document:
    """The sheet as it is now. Raises `NotFound`."""
    return sheet_of(source_of(sheet), await place_of(intake, sheet).outbox.get(sheet["_id"], sheet["agency"]))


async def change(intake: Intake, sheet: Document, decide: Decision) -> None:
    """Do what `decide` makes of the sheet as it is now; None changes nothing. Raises as `decide` does."""
    source = source_of(sheet)

    def decision(document: Document) -> Change | None:
        found = decide(sheet_of(source, document))
        return feedback.as_stored(found) if found is not None and source is CaseSource.FEEDBACK else found

    await place_of(intake, sheet).outbox.change(sheet["_id"], sheet["agency"], decision)


def place_of(intake: Intake, sheet: Document) -> Releases:
    """Where it is kept."""
    return intake.releases[source_of(sheet)]


def titles_of(agency: Agency, sheet: Document) -> Mapping[int, str]:
    """Number → title of the sections it has or may have."""
    return {1: feedback.TITLE} if source_of(sheet) is CaseSource.FEEDBACK else agency.form.titles
