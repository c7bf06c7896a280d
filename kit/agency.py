"""An agency's profile: who it is, its units, its form, its rules. One file per agency under `agencies/`.

A rule binds the agency that wrote it, so no rule has a default here: each stands in the profile with the source that it
comes from (a source document by its number in docs/rules.md, a law, or "default"), and a profile that leaves one out is
refused at start. docs/agency.md explains the file.
"""

import string
from collections.abc import Iterator, Mapping
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Annotated, Generic, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, EmailStr, Field, StringConstraints, model_validator

from contracts.model import RegistrantKind, Way
from kit.calendar import DayOff, OfficeHours, WorkCalendar, WorkingDay, load_calendar
from kit.errors import NotFound
from kit.yamlfile import BadFile, Loc, faults_at, read_yaml

T = TypeVar("T")

Code = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", min_length=2, max_length=40)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Source = Annotated[Text, Field(description='Where a rule comes from: "000 III.3", "NĐ 30/2020 Điều 15", "default: why"')]


class Model(BaseModel):
    """Base of everything in a profile: frozen, and an unknown key is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Setting(Model, Generic[T]):
    """One rule that is a single value, with where it comes from."""

    value: T
    source: Source


# Who the agency is


class Position(Model):
    """Where the agency is on the map, in degrees (WGS 84)."""

    latitude: float = Field(ge=8, le=24, description="Vietnam lies between 8 and 24 north")
    longitude: float = Field(ge=102, le=118)


class Contacts(Model):
    phone: Text
    email: EmailStr
    address: Text
    website: Text
    hotline: Text | None = Field(None, description="For feedback, where it is not the agency's ordinary number (K2)")
    position: Position | None = Field(None, description="Of the address; without it a map is searched for the address")


class CitizenReception(Model):
    """Where a complaint or denunciation is brought in person; letters of guidance name it (D6)."""

    name: Text
    address: Text
    phone: Text
    schedule: Text
    authority: Text = Field(description="To whom a complaint is addressed")
    source: Source


UnitKind = Literal["office", "inspectorate", "division", "branch", "centre"]
UnitRole = Literal["office", "inspectorate", "publishes", "watches_feedback"]


class Unit(Model):
    """A part of the agency that is asked and answers. Units are renamed and merged, so each has its days."""

    code: Code
    name: Text
    short_name: Text
    kind: UnitKind
    email: EmailStr
    roles: tuple[UnitRole, ...] = ()
    assumed: bool = Field(description='"giả định": no source document names this unit')
    valid_from: date | None = None
    valid_until: date | None = Field(None, description="Its last day")
    source: Source

    def is_valid_on(self, day: date) -> bool:
        return (self.valid_from is None or self.valid_from <= day) and (self.valid_until is None or day <= self.valid_until)

    @model_validator(mode="after")
    def _days_in_order(self) -> Self:
        if self.valid_from and self.valid_until and self.valid_from > self.valid_until:
            raise faults_at("Unit", [(("valid_until",), "lies before valid_from")])
        return self


class Signer(Model):
    """Who signs. `authority` is the line above the title when one signs for another: "KT. GIÁM ĐỐC"."""

    code: Code
    name: Text
    title: Text
    authority: Text | None = None


# Documents (NĐ 30/2020)


class Recipient(Model):
    """One line of "Nơi nhận": who, what for ("b/c", "t/hiện"), and by which medium."""

    name: Text
    purpose: Text | None = None
    medium: Literal["electronic", "paper"]

    @property
    def line(self) -> str:
        return f"- {self.name} ({self.purpose});" if self.purpose else f"- {self.name};"


_MEDIUM_HEADINGS: Mapping[str, str] = {"electronic": "Gửi bản điện tử:", "paper": "Gửi bản giấy:"}


class DocumentKind(Model):
    """How one kind of document is headed, numbered, signed and distributed by default."""

    title: Text | None = Field(description='"GIẤY MỜI"; none for a công văn')
    symbol: Text = Field(description='What follows the number: "GM-SKHCN"')
    signer: Code
    recipients: tuple[Recipient, ...] = Field(min_length=1)
    archive: Text = Field(description='Last line of "Nơi nhận", after "Lưu: "')
    source: Source

    @cached_property
    def recipient_lines(self) -> tuple[str, ...]:
        """ "Nơi nhận" line by line; grouped under a heading by medium when there are both."""
        media = sorted({recipient.medium for recipient in self.recipients})
        lines: list[str] = []
        for medium in media:
            if len(media) > 1:
                lines.append(_MEDIUM_HEADINGS[medium])
            lines += [recipient.line for recipient in self.recipients if recipient.medium == medium]
        return (*lines, f"- Lưu: {self.archive}.")


class Documents(Model):
    """Defaults for every kind of document that the product makes."""

    plan: DocumentKind
    transfer: DocumentKind
    invitation: DocumentKind
    conclusion: DocumentKind
    letter: DocumentKind
    report: DocumentKind
    minutes: DocumentKind

    def items(self) -> Iterator[tuple[str, DocumentKind]]:
        return ((kind, getattr(self, kind)) for kind in type(self).model_fields)


# The form (D2)

PrintedBlock = Literal[
    "national_title",
    "place_date",
    "title",
    "subtitle",
    "addressee",
    "fields",
    "intro",
    "sections",
    "note",
    "signature",
]
_OPTIONAL_TEXTS: tuple[PrintedBlock, ...] = ("subtitle", "note", "signature")
_ALWAYS_PRINTED: tuple[PrintedBlock, ...] = ("national_title", "place_date", "title", "addressee", "fields", "intro", "sections")
_PLACEHOLDERS = frozenset({"year", "month", "blank"})
_CHOICES: Mapping[str, frozenset[str]] = {"kind": frozenset(RegistrantKind), "preferred_way": frozenset(Way)}


class FormField(Model):
    """A line of the printed form. `required` holds on the web only; a paper is never refused."""

    key: Literal["name", "address", "phone", "email"]
    label: Text
    required: bool


class Choice(Model):
    value: Text
    label: Text


class WebField(Model):
    """A field that the web form adds: never required, never on the printed blank."""

    key: Literal["email", "kind", "organisation", "preferred_way"]
    label: Text
    help: Text | None = None
    choices: tuple[Choice, ...] = ()

    @model_validator(mode="after")
    def _choices_are_known(self) -> Self:
        known = _CHOICES.get(self.key, frozenset())
        if bool(known) != bool(self.choices):
            raise faults_at("WebField", [(("choices",), "needed for kind and preferred_way, and for these alone")])
        unknown = [i for i, choice in enumerate(self.choices) if choice.value not in known]
        if unknown:
            raise faults_at("WebField", [(("choices", i, "value"), f"not one of {sorted(known)}") for i in unknown])
        return self


class FormSection(Model):
    """A numbered section of the form, free text. `unit` is where its text goes when the text does not say otherwise (D5)."""

    no: int = Field(ge=1)
    label: Text
    unit: Code | None = Field(description="None: the text decides, or a person")
    source: Source


class Form(Model):
    """The registration form: what is printed, word for word and in order, and what the web form adds."""

    layout: tuple[PrintedBlock, ...] = Field(description="The printed blocks from top to bottom")
    title: Text
    subtitle: Text | None
    addressee: Text
    place_date: Text = Field(description="Place and date with {blank}, {month}, {year}")
    intro: Text
    fields: tuple[FormField, ...] = Field(min_length=1)
    sections: tuple[FormSection, ...] = Field(min_length=1)
    note: Text | None
    signature: Text | None = Field(description="Label over the place for the signature")
    web_fields: tuple[WebField, ...]
    source: Source

    @cached_property
    def titles(self) -> Mapping[int, str]:
        """Number of a section → its title, in the form's order."""
        return {section.no: section.label for section in self.sections}

    @cached_property
    def required(self) -> tuple[str, ...]:
        """Fields that the web form insists on."""
        return tuple(field.key for field in self.fields if field.required)

    def printed(self, text: str, *, year: int, month: int, blank: str = "……") -> str:
        """`text` with its placeholders filled in; `blank` stands for what is left to the pen."""
        return text.format(year=year, month=month, blank=blank)

    def section(self, no: int) -> FormSection:
        """Raises `NotFound` for a number that the form does not have."""
        found = next((section for section in self.sections if section.no == no), None)
        if found is None:
            raise NotFound("section")
        return found

    def of_unit(self, unit: str | None) -> FormSection | None:
        """The section whose texts go to this unit; None where there is none, or more than one."""
        found = [section for section in self.sections if unit is not None and section.unit == unit]
        return found[0] if len(found) == 1 else None

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        faults = [*self._layout_faults(), *self._text_faults(), *self._field_faults()]
        if faults:
            raise faults_at("Form", faults)
        return self

    def _layout_faults(self) -> Iterator[tuple[Loc, str]]:
        texts = {"subtitle": self.subtitle, "note": self.note, "signature": self.signature}
        expected = {*_ALWAYS_PRINTED, *(block for block in _OPTIONAL_TEXTS if texts[block] is not None)}
        if sorted(self.layout) != sorted(expected):
            yield ("layout",), f"must name each of these once: {', '.join(sorted(expected))}"

    def _text_faults(self) -> Iterator[tuple[Loc, str]]:
        for name in ("title", "subtitle", "addressee", "place_date", "intro", "note"):
            if not _has_known_placeholders(getattr(self, name) or ""):
                yield (name,), f"may hold only the placeholders {sorted(_PLACEHOLDERS)}"

    def _field_faults(self) -> Iterator[tuple[Loc, str]]:
        if [section.no for section in self.sections] != list(range(1, len(self.sections) + 1)):
            yield ("sections",), "must be numbered 1, 2, 3 …"
        yield from _repeated("fields", [field.key for field in self.fields], "key")
        keys = [field.key for field in self.fields]
        yield from _repeated("web_fields", [*keys, *(field.key for field in self.web_fields)], "key", skip=len(keys))
        if "name" not in keys:
            yield ("fields",), "must ask for the name"


def _has_known_placeholders(text: str) -> bool:
    try:
        names = {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
    except ValueError:
        return False
    return names <= _PLACEHOLDERS


# Classification (D5, D6)

Phrases = Mapping[Text, Annotated[float, Field(gt=0, le=10)]]


class FieldOfWork(Model):
    """A field of the agency with the phrases that point to it and the unit that answers for it."""

    code: Code
    name: Text
    unit: Code
    phrases: Phrases = Field(min_length=1, description="Phrase with its weight: 1 a hint, 3 nearly certain, 5 certain")
    source: Source


class ClassificationRules(Model):
    """How a text finds its unit. `services/routing/classification.py` says how the numbers are used."""

    threshold: float = Field(gt=0, le=1, description="Below this confidence a person decides (triage)")
    section_weight: float = Field(ge=0, le=10, description="What the section's own unit weighs")
    doubt: float = Field(gt=0, le=10, description="What speaks against any proposal, in the weight of phrases")
    neutral: tuple[Text, ...] = Field(description="Phrases that say nothing, though they hold one that does")
    fields: tuple[FieldOfWork, ...] = Field(min_length=1)
    source: Source


class SealRules(Model):
    """What looks like a complaint or a denunciation, and what only asks about the procedure for one."""

    complaint: tuple[Text, ...] = Field(min_length=1)
    denunciation: tuple[Text, ...] = Field(min_length=1)
    not_a_term: tuple[Text, ...] = Field(description="Phrases that hold one of the terms and mean something else")
    asking_before: tuple[Text, ...] = Field(description='Before a term: "thủ tục", "quy trình"')
    between: tuple[Text, ...] = Field(description="Words that may stand between such a phrase and the term")
    asking_after: tuple[Text, ...] = Field(description='Soon after a term: "như thế nào", "ở đâu"')
    against: tuple[Text, ...] = Field(description='Right after a term: "ông", "quyết định số"; then it is one')
    own_case: tuple[Text, ...] = Field(description='After a term in its sentence: "của tôi"; then it is one')
    source: Source


# Deadlines


class Deadline(Model):
    """A number of days and how they are counted. `enabled: false` says that the agency has no such deadline."""

    days: int = Field(ge=1, le=366)
    counting: Literal["calendar", "working"]
    enabled: bool = True
    source: Source


class Deadlines(Model):
    """Every deadline counted in days. None has a default: the profile names them all, each with its source."""

    unit_answer: Deadline = Field(description="D7: a unit's draft, after the day it received the transfer")
    written_answer: Deadline = Field(description="D10: a written answer after the notice, where the chair names no day")
    report_before_meeting: Deadline = Field(description="D8: the consolidated report, before the meeting")
    invitation_before_meeting: Deadline = Field(description="D9: invitations, before the meeting, where the plan names no day")
    conclusion: Deadline = Field(description="D12: the conclusion notice, after the meeting")
    late_notice: Deadline = Field(description="D4: what becomes of a late registration is told within")
    denunciation_notice: Deadline = Field(description="D6: handed over and the person told")
    denunciation_handling: Deadline = Field(description="D6: first handling")
    feedback_forward: Deadline = Field(description="K2: feedback outside competence is forwarded")
    feedback_answer: Deadline = Field(description="K2: feedback is answered")
    data_answer: Deadline = Field(description="Personal data: a request to see or delete them is decided")
    data_see: Deadline = Field(description="Personal data: a copy is given")
    data_delete: Deadline = Field(description="Personal data: they are deleted")
    data_extension: Deadline = Field(description="Personal data: by how much the time is extended, once")


class Reminders(Model):
    """How a unit is urged (D13): before the due day, on it, then up the ladder; in office hours only."""

    working_days_before: int = Field(ge=0, le=10)
    office_from_day_overdue: int = Field(ge=1, le=30, description="From then the office is told as well as the head")
    leadership_weekday: int = Field(ge=1, le=7, description="Day of the weekly list for the leadership; 1 is Monday")
    source: Source


class CalendarExtras(Model):
    """What the agency's calendar has beside the country's (agencies/calendars)."""

    days_off: tuple[DayOff, ...] = ()
    working_days: tuple[WorkingDay, ...] = ()
    source: Source


# Law and privacy


class Law(Model):
    """A citation. `mark`: how far it is confirmed (docs/rules.md): A text, B secondary page, C other software, U not."""

    code: Code
    number: Text
    title: Text
    articles: Text | None = None
    in_force_from: date | None = None
    in_force_until: date | None = None
    mark: Literal["A", "B", "C", "U"]

    def is_in_force_on(self, day: date) -> bool:
        return (self.in_force_from is None or self.in_force_from <= day) and (
            self.in_force_until is None or day <= self.in_force_until
        )


class Privacy(Model):
    """The notice under the form and the sentence of the consent box; both stored by version with each registration."""

    version: Text
    notice: tuple[Text, ...] = Field(min_length=1, description="Paragraphs")
    consent: Text
    feedback_notice: tuple[Text, ...] = Field(min_length=1, description="Paragraphs, under the form for feedback (K2)")
    feedback_consent: Text
    laws: tuple[Code, ...]


class Place(Model):
    """Where a plan, a notice or a list of procedures is posted (D1, K4)."""

    code: Code
    name: Text
    source: Source


class Procedure(Model):
    """An administrative procedure of the agency as it is published (K4). The names of online levels are data (K6)."""

    code: Annotated[str, StringConstraints(pattern=r"^[0-9A-Z]+(\.[0-9A-Z]+)*$", max_length=40)] = Field(
        description='In the national database: "1.001786"'
    )
    name: Text
    field: Text = Field(description='Lĩnh vực: "Tiêu chuẩn đo lường chất lượng"')
    unit: Code | None = Field(None, description="The unit that deals with it")
    decision: Text = Field(description="Number of the decision that published it")
    decided_on: date
    online_level: Text = Field(description='"Toàn trình", "Một phần", or a level by its number')
    places: tuple[Code, ...] = Field((), description="Codes of `publish_places` where it is posted")
    sample: bool = Field(False, description="Invented or unchecked: shown as such")


class Agency(Model):
    """The whole profile."""

    code: Code
    case_prefix: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2,5}$")]
    province: Text
    name: Text = Field(description='"Sở Khoa học và Công nghệ"')
    full_name: Text = Field(description='"Sở Khoa học và Công nghệ tỉnh Sơn La"')
    superior: Text = Field(description='"UBND tỉnh Sơn La"')
    symbol: Text = Field(description='In document numbers: "SKHCN"')
    place: Text = Field(description='Before the date of a document: "Sơn La"')
    contacts: Contacts
    reception: CitizenReception
    office_hours: OfficeHours
    calendar: CalendarExtras
    units: tuple[Unit, ...] = Field(min_length=1)
    signers: tuple[Signer, ...] = Field(min_length=1)
    documents: Documents
    form: Form
    classification: ClassificationRules
    seal: SealRules
    deadlines: Deadlines
    reminders: Reminders
    assign_by: Setting[Literal["office", "leadership", "automatic"]]
    control_unit: Setting[Code]
    require_signed_file: Setting[bool]
    numbering: Setting[Literal["typed", "allotted"]]
    after_hours_next_day: Setting[bool]
    report_parts_before_day: Setting[Annotated[int, Field(ge=2, le=28)] | None]
    watermark: Setting[Text | None]
    publish_places: tuple[Place, ...]
    procedures: tuple[Procedure, ...] = Field((), description="The agency's procedures (K4)")
    procedure_portal: Text | None = Field(None, description="Address of a procedure on the national portal, with {code}")
    emblem: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+\.svg$")] | None = Field(
        None, description="A file beside the profile, in emblems/; without it the product's neutral one"
    )
    laws: tuple[Law, ...]
    privacy: Privacy

    @property
    def name_upper(self) -> str:
        """The issuer's line of the letterhead."""
        return self.name.upper()

    @property
    def superior_upper(self) -> str:
        return self.superior.upper()

    @cached_property
    def office(self) -> Unit:
        return next(unit for unit in self.units if "office" in unit.roles)

    def unit(self, code: str) -> Unit:
        """Raises `NotFound` for a code that the agency does not have."""
        return _by_code(self.units, code, "unit")

    def signer(self, code: str) -> Signer:
        return _by_code(self.signers, code, "signer")

    def procedure(self, code: str) -> Procedure:
        """Raises `NotFound` for a code that the agency has not published."""
        return _by_code(self.procedures, code, "procedure")

    def law(self, code: str) -> Law:
        return _by_code(self.laws, code, "law")

    def units_on(self, day: date) -> tuple[Unit, ...]:
        return tuple(unit for unit in self.units if unit.is_valid_on(day))

    @model_validator(mode="after")
    def _references_exist(self) -> Self:
        faults = [*self._repeated_codes(), *self._unit_faults(), *self._other_faults()]
        if faults:
            raise faults_at("Agency", faults)
        return self

    def _repeated_codes(self) -> Iterator[tuple[Loc, str]]:
        yield from _repeated("units", [unit.code for unit in self.units])
        yield from _repeated("signers", [signer.code for signer in self.signers])
        yield from _repeated("publish_places", [place.code for place in self.publish_places])
        yield from _repeated("laws", [law.code for law in self.laws])
        yield from _repeated("procedures", [procedure.code for procedure in self.procedures])

    def _unit_faults(self) -> Iterator[tuple[Loc, str]]:
        known = {unit.code for unit in self.units}
        named: list[tuple[Loc, str | None]] = [
            (("control_unit", "value"), self.control_unit.value),
            *((("form", "sections", i, "unit"), section.unit) for i, section in enumerate(self.form.sections)),
            *((("classification", "fields", i, "unit"), field.unit) for i, field in enumerate(self.classification.fields)),
            *((("procedures", i, "unit"), procedure.unit) for i, procedure in enumerate(self.procedures)),
        ]
        for loc, code in named:
            if code is not None and code not in known:
                yield loc, f"no unit has the code {code}"
        if sum("office" in unit.roles for unit in self.units) != 1:
            yield ("units",), "exactly one unit must have the role office"

    def _other_faults(self) -> Iterator[tuple[Loc, str]]:
        signers = {signer.code for signer in self.signers}
        for kind, document in self.documents.items():
            if document.signer not in signers:
                yield ("documents", kind, "signer"), f"no signer has the code {document.signer}"
        laws = {law.code for law in self.laws}
        for i, code in enumerate(self.privacy.laws):
            if code not in laws:
                yield ("privacy", "laws", i), f"no law has the code {code}"
        places = {place.code for place in self.publish_places}
        for i, procedure in enumerate(self.procedures):
            for n, code in enumerate(procedure.places):
                if code not in places:
                    yield ("procedures", i, "places", n), f"no publish_place has the code {code}"
        if self.procedure_portal is not None and self.procedure_portal.count("{code}") != 1:
            yield ("procedure_portal",), "must hold {code} once"


C = TypeVar("C", Unit, Signer, Law, Procedure)


def _by_code(items: tuple[C, ...], code: str, what: str) -> C:
    found = next((item for item in items if item.code == code), None)
    if found is None:
        raise NotFound(what)
    return found


def _repeated(where: str, codes: list[str], key: str = "code", *, skip: int = 0) -> Iterator[tuple[Loc, str]]:
    """A fault for each code that stands before in the list; the first `skip` codes belong to another list."""
    for i, code in enumerate(codes):
        if i >= skip and code in codes[:i]:
            yield (where, i - skip, key), f"{code} is named twice"


def load_agencies(directory: Path) -> Mapping[str, Agency]:
    """Every profile in `directory` (not its subfolders) by code. Raises `BadFile` with the faults of all of them."""
    agencies: dict[str, Agency] = {}
    faults: list[str] = []
    for path in sorted(directory.glob("*.yaml")):
        try:
            agency = read_yaml(path, Agency)
        except BadFile as error:
            faults += error.faults
            continue
        if agency.code != path.stem:
            faults.append(f"{path}:1: code: must be the file's name, {path.stem}")
        if agency.case_prefix in {other.case_prefix for other in agencies.values()}:
            faults.append(f"{path}:1: case_prefix: another agency has {agency.case_prefix}")
        agencies[agency.code] = agency
    if not agencies and not faults:
        faults.append(f"{directory}: holds no agency (*.yaml)")
    if faults:
        raise BadFile(*faults)
    return agencies


def load_calendars(directory: Path, agencies: Mapping[str, Agency]) -> dict[str, WorkCalendar]:
    """Each agency's calendar: the country's (`calendars/vn.yaml`) with the hours and days of its profile."""
    country = load_calendar(directory / "calendars" / "vn.yaml")
    return {code: _own_calendar(country, agency) for code, agency in agencies.items()}


def _own_calendar(country: WorkCalendar, agency: Agency) -> WorkCalendar:
    calendar = country.with_office_hours(agency.office_hours)
    for off in agency.calendar.days_off:
        calendar = calendar.with_day_off(off.day, off.name, off.kind)
    for worked in agency.calendar.working_days:
        calendar = calendar.with_working_day(worked.day, worked.name)
    return calendar


def load_emblems(directory: Path, agencies: Mapping[str, Agency]) -> dict[str, bytes]:
    """The SVG of each agency that names one. Raises `BadFile` for a file that is not there or is no SVG."""
    emblems: dict[str, bytes] = {}
    faults: list[str] = []
    for code, agency in agencies.items():
        if agency.emblem is None:
            continue
        path = directory / "emblems" / agency.emblem
        drawn = path.read_bytes() if path.is_file() else b""
        if not drawn.lstrip().startswith(b"<svg"):
            faults.append(f"{directory / code}.yaml:1: emblem: {path} is no SVG file")
        emblems[code] = drawn
    if faults:
        raise BadFile(*faults)
    return emblems
