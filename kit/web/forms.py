"""Forms: from what a browser sends to a checked model, with a Vietnamese sentence beside each field that is wrong.

    submitted = await read_form(request)
    try:
        registration = submitted.parse(RegistrationForm)
    except Invalid as error:
        return templates.page(request, "form.html", status=422, values=submitted.values, errors=error.errors, …)

Nothing typed is lost: `values` holds it as it came. A field named `sections.2` arrives as `{"sections": {"2": …}}` and
its error under the same name, so a form whose fields are data needs no code of its own.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, time
from functools import lru_cache
from typing import Annotated, Any, ClassVar, TypeVar, get_origin

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from email_validator.rfc_constants import EMAIL_MAX_LENGTH, LOCAL_PART_MAX_LENGTH
from fastapi import HTTPException, Request
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator
from starlette.datastructures import UploadFile

from kit.errors import Invalid
from kit.web.messages import CONTROL_CHARACTERS, courteous, message_for, place

CSRF_FIELD = "csrf"
PROOF_FIELD = "altcha"
TRAP_FIELD = "trang_web"
LONGEST_TEXT = 10_000
LONGEST_LINE = 300
MAX_FIELDS = 300
MAX_FILES = 20


def tidy(text: str) -> str:
    """Unicode NFC, one kind of line end, no spaces around, no marks of direction. Two spellings of one Vietnamese word become
    equal, and nobody's name turns round what stands beside it on a list or in a letter.
    """
    if not text.isprintable():  # what is has nothing of this, and that is nearly all that people write
        text = _DIRECTION.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
    return unicodedata.normalize("NFC", text).strip()


def has_control_characters(text: str) -> bool:
    """Control characters and lone surrogates, tab and line end excepted."""
    return not text.isprintable() and _CONTROL.search(text) is not None


_DIRECTION = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def _text(value: str) -> str:
    value = tidy(value)
    if has_control_characters(value):
        raise courteous(CONTROL_CHARACTERS)
    if len(value) > LONGEST_TEXT:
        raise courteous("Nội dung dài quá 10.000 ký tự. Xin Ông/Bà rút gọn, hoặc gửi phần còn lại trong tệp đính kèm.")
    return value


def _line(value: str) -> str:
    value = _text(value)
    if "\n" in value or "\t" in value:
        raise courteous("Mục này chỉ gồm một dòng. Xin Ông/Bà ghi liền trên một dòng.")
    if len(value) > LONGEST_LINE:
        raise courteous(f"Mục này dài quá {LONGEST_LINE} ký tự. Xin Ông/Bà rút gọn.")
    return value


def _mobile_numbers() -> re.Pattern[str]:
    metadata = phonenumbers.PhoneMetadata.metadata_for_region("VN")
    assert metadata is not None  # noqa: S101 - the library knows Việt Nam
    assert metadata.mobile is not None  # noqa: S101
    return re.compile(metadata.mobile.national_number_pattern or "(?!)")


_MOBILE = _mobile_numbers()
_AS_WRITTEN = str.maketrans("", "", " .-")


def _phone(value: str) -> str:
    """E.164 (+84912345678) of a number as people in Việt Nam write it."""
    value = tidy(value)
    # What nearly everybody gives. The library comes to the same, by the same pattern, in twenty times the time.
    digits = value.translate(_AS_WRITTEN)
    if digits.isascii() and digits.startswith("0") and _MOBILE.fullmatch(digits, 1):
        return f"+84{digits[1:]}"
    try:
        number = phonenumbers.parse(value[:40], "VN")
    except phonenumbers.NumberParseException:
        number = None
    if number is None or not phonenumbers.is_valid_number(number):
        raise courteous("Số điện thoại chưa đúng. Xin Ông/Bà ghi đủ số, kể cả mã vùng, ví dụ 0912 345 678 hoặc 0212 3852 345.")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


_PLAIN_ADDRESS = re.compile(r"(?P<local>[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*)@(?P<domain>[A-Za-z0-9.-]+)")


def _email(value: str) -> str:
    """The address, normalised; its domain is not looked up."""
    value = tidy(value)
    plain = _PLAIN_ADDRESS.fullmatch(value)
    try:
        if plain and len(plain["local"]) <= LOCAL_PART_MAX_LENGTH and len(value) <= EMAIL_MAX_LENGTH:
            return f"{plain['local']}@{_email_domain(plain['domain'])}"
        return validate_email(value, check_deliverability=False, allow_smtputf8=False).normalized
    except EmailNotValidError:
        raise courteous("Địa chỉ thư điện tử chưa đúng. Xin Ông/Bà ghi dạng ten@tenmien.vn, không dấu, không cách.") from None


@lru_cache(maxsize=1024)
def _email_domain(domain: str) -> str:
    """The domain, normalised: most people share a few. Raises `EmailNotValidError`."""
    return validate_email(f"a@{domain}", check_deliverability=False, allow_smtputf8=False).domain


_VIETNAMESE_DATE = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})")


def _date(value: Any) -> Any:
    """Where a browser has no date picker people write 04/5/2022."""
    match = _VIETNAMESE_DATE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        return value
    day, month, year = (int(part) for part in match.groups())
    return f"{year:04d}-{month:02d}-{day:02d}"


_VIETNAMESE_TIME = re.compile(r"(\d{1,2})\s*(?:h|:|giờ)\s*(\d{1,2})?")


def _time(value: Any) -> Any:
    match = _VIETNAMESE_TIME.fullmatch(tidy(value).lower()) if isinstance(value, str) else None
    return f"{int(match[1]):02d}:{int(match[2] or 0):02d}" if match else value


Text = Annotated[str, AfterValidator(_text)]
"""Several lines, at most 10,000 characters, NFC, no control characters."""
Line = Annotated[str, AfterValidator(_line)]
"""One line, at most 300 characters."""
Phone = Annotated[str, AfterValidator(_phone)]
"""A telephone number; becomes E.164."""
Email = Annotated[str, AfterValidator(_email)]
"""An e-mail address by its syntax."""
FormDate = Annotated[date, BeforeValidator(_date)]
"""2022-05-04 or 04/5/2022."""
FormTime = Annotated[time, BeforeValidator(_time)]
"""14:00, 14h00, 14 giờ 00."""


class Input(BaseModel):
    """Base of what people and programs send: unknown fields are refused, an empty one is as good as absent.

    `required` gives a field its own sentence for when it is missing.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    required: ClassVar[Mapping[str, str]] = {}

    @model_validator(mode="before")
    @classmethod
    def _drop_blanks(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        return {k: v for k, v in data.items() if not (isinstance(v, str) and not v.strip())}


M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Vouching:
    """What a public form brings beside its fields (kit/web/proof.py): a proof of work, and what stands in the trap."""

    proof: str = ""
    trap: str = ""


@dataclass(frozen=True, slots=True)
class Submitted:
    """A form as it came. `values` is what to show again (a field's last value, untouched), `lists` all values, `files` the
    uploads that have a name; `csrf`, the hidden token, and `vouching` are in neither.
    """

    values: Mapping[str, str]
    lists: Mapping[str, tuple[str, ...]]
    files: Mapping[str, tuple[UploadFile, ...]]
    csrf: str
    vouching: Vouching = Vouching()

    def parse(self, model: type[M]) -> M:
        """The checked model. Raises `Invalid` with one sentence per field, keyed by its name; "" is the form as a whole."""
        refused = {name: CONTROL_CHARACTERS for name, value in self.values.items() if has_control_characters(tidy(value))}
        try:
            parsed = model.model_validate(_nested(self.lists, model))
        except ValidationError as error:
            raise Invalid({**form_errors(error, model), **refused}) from None
        if refused:
            raise Invalid(refused)
        return parsed

    def only(self, *names: str) -> "Submitted":
        """These fields alone, for a model of their own."""
        return self.without(*(self.values.keys() - names))

    def without(self, *names: str) -> "Submitted":
        """The others."""
        values = {name: value for name, value in self.values.items() if name not in names}
        return replace(self, values=values, lists={name: self.lists[name] for name in values})

    def hidden(self) -> list[tuple[str, str]]:
        """Everything but the token, as name and value, to be sent again from hidden inputs (sign-in after an expired POST)."""
        return [(name, value) for name, values in self.lists.items() for value in values]


def form_errors(error: ValidationError, model: type[BaseModel]) -> dict[str, str]:
    """Field name → the first thing wrong with it."""
    required: Mapping[str, str] = getattr(model, "required", {})
    errors: dict[str, str] = {}
    for detail in error.errors(include_url=False, include_input=False):
        name = ".".join(place(detail["type"], detail["loc"]))
        sentence = required.get(name) if detail["type"] == "missing" else None
        errors.setdefault(name, sentence or message_for(detail))
    return errors


def _nested(lists: Mapping[str, tuple[str, ...]], model: type[BaseModel]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for name, values in lists.items():
        field = model.model_fields.get(name)
        many = field is not None and get_origin(field.annotation) in (list, tuple, set, frozenset)
        head, dot, tail = name.partition(".")
        if not dot:
            tree[name] = [tidy(v) for v in values if v.strip()] if many else tidy(values[-1])
        elif isinstance(branch := tree.setdefault(head, {}), dict) and values[-1].strip():
            branch[tail] = tidy(values[-1])
    return tree


async def read_form(request: Request) -> Submitted:
    """The request's form, read once however often it is asked for.

    Raises 415 for anything but a form, 413 when it is too large, 400 when it cannot be read.
    """
    known: Submitted | None = getattr(request.state, "submitted", None)
    if known is not None:
        return known
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("application/x-www-form-urlencoded", "multipart/form-data"):
        raise HTTPException(415)
    try:
        data = await request.form(max_files=MAX_FILES, max_fields=MAX_FIELDS)
    except (UnicodeDecodeError, LookupError):
        raise HTTPException(400) from None
    lists: dict[str, tuple[str, ...]] = {}
    files: dict[str, tuple[UploadFile, ...]] = {}
    for name, value in data.multi_items():
        if isinstance(value, str):
            lists[name] = (*lists.get(name, ()), value)
        elif value.filename:
            files[name] = (*files.get(name, ()), value)
    csrf, proof, trap = (lists.pop(name, ("",))[-1] for name in (CSRF_FIELD, PROOF_FIELD, TRAP_FIELD))
    values = {name: values[-1] for name, values in lists.items()}
    submitted = Submitted(values, lists, files, csrf, Vouching(proof, trap))
    request.state.submitted = submitted
    return submitted
