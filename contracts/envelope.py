"""The envelope that every event travels in: CloudEvents 1.0 attribute names, JSON, one record per event.

An event carries the aggregate's whole shareable state (`data`), at least as new as the change its `type` names, so a
consumer that sees only the newest one is right and an upsert guarded by `sequence` is all the idempotency it needs.
Change is additive; otherwise a new type `….v2` stands beside the old one.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

import orjson
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, SerializeAsAny, ValidationError


class Payload(BaseModel):
    """Base of everything that travels in an event: frozen, tolerant of fields added later, silent about its input."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class Step(Payload):
    """One dated state change of an aggregate; the steps let a consumer of the newest event count flows."""

    n: int = Field(ge=1, description="Sequence of the event that made this step")
    at: AwareDatetime = Field(description="When it happened (business time)")
    known_at: AwareDatetime = Field(description="When the system knew it: a report at a cut-off counts what was known then")
    state: str


D = TypeVar("D", bound=Payload)


class Event(Payload, Generic[D]):
    """One event. `sequence` counts the aggregate's events from 1; (`subject`, `sequence`) is unique within a topic."""

    specversion: str = "1.0"
    id: UUID = Field(description="UUIDv7, made once when the event is written to its document")
    source: str = Field(description="The service that owns the aggregate: intake, routing, notify, reporting")
    type: str = Field(description="<aggregate>.<what happened>.v<n>, e.g. registration.received.v1")
    subject: str = Field(description="The aggregate's id, and the record's key")
    time: AwareDatetime = Field(description="When the event was written")
    datacontenttype: str = "application/json"
    dataschema: str = Field(description="Name of the data's schema in the AsyncAPI document")
    agency: Annotated[str, Field(pattern=r"^[a-z0-9-]{2,40}$")]
    sequence: int = Field(ge=1)
    correlationid: str = Field("", description="W3C trace id (32 hex digits) of the request that began the chain")
    data: SerializeAsAny[D]

    def encode(self) -> bytes:
        """The record's value: UTF-8 JSON."""
        return self.__pydantic_serializer__.to_json(self, exclude_none=True)


class Undecodable(Exception):
    """A record that is no event of ours. The message names what is wrong, never the content."""


def decode(value: bytes | None, models: Mapping[str, type[Event[Any]]]) -> Event[Any]:
    """The event in a record's value.

    `models` maps an event type (`registration.received.v1`) to the model the consumer wants to see it as
    (`contracts.events.models`). Raises `Undecodable` for anything that is no event, an unknown type or an unknown version.
    """
    if value is None:
        raise Undecodable("empty record")
    try:
        raw = orjson.loads(value)
    except orjson.JSONDecodeError:
        raise Undecodable("not JSON") from None
    kind = raw.get("type") if isinstance(raw, dict) else None
    if not isinstance(kind, str):
        raise Undecodable("no type")
    model = models.get(kind)
    if model is None:
        raise Undecodable("unknown type or version")
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        raise Undecodable("; ".join(f"{place}: {what}" for place, what in wrong_fields(error)[:5])) from None


def wrong_fields(error: ValidationError) -> list[tuple[str, str]]:
    """What was wrong with payloads: (where, pydantic's name of the error), in words of ours alone.

    The content is left out, and so is the key of a mapping, which is the sender's word too: `*` stands for it.
    """
    ours = _field_names(Payload)
    found = error.errors(include_input=False, include_url=False, include_context=False)
    return [(".".join(str(p) if isinstance(p, int) or p in ours else "*" for p in e["loc"]), e["type"]) for e in found]


def _field_names(model: type[BaseModel]) -> set[str]:
    """Of a model and of those that derive from it."""
    return set(model.model_fields).union(*map(_field_names, model.__subclasses__()))
