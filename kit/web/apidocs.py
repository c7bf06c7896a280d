"""/api/docs: the OpenAPI document as a plain page. The usual viewers need scripts from elsewhere, which our CSP refuses."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request
from starlette.responses import HTMLResponse

from kit.web.problems import API
from kit.web.rendering import Templates

FORM_DATA = "multipart/form-data"


@dataclass(frozen=True, slots=True)
class Property:
    """A field of a body, or a parameter."""

    name: str
    kind: str
    required: bool
    description: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One method at one address."""

    method: str
    path: str
    summary: str
    description: str
    parameters: tuple[Property, ...]
    bodies: tuple[tuple[str, tuple[Property, ...]], ...]
    answers: tuple[tuple[str, str], ...]


def page(app: FastAPI, templates: Templates) -> Callable[[Request], Awaitable[HTMLResponse]]:
    """The endpoint that shows `app`'s operations under /api/."""

    async def api_docs(request: Request) -> HTMLResponse:
        schema = app.openapi()
        return templates.page(
            request, "api.html", agency=None, title=app.title, operations=list(operations(schema)), schema_url=app.openapi_url
        )

    return api_docs


def operations(schema: Mapping[str, Any]) -> Iterator[Operation]:
    """The operations for programs in an OpenAPI document; pages are none."""
    for path, methods in schema["paths"].items():
        if not path.startswith(API):
            continue
        for method, operation in methods.items():
            yield Operation(
                method.upper(),
                path,
                operation.get("summary", ""),
                operation.get("description", ""),
                tuple(_parameter(p) for p in operation.get("parameters", ())),
                tuple(_bodies(schema, operation)),
                tuple((status, answer.get("description", "")) for status, answer in operation["responses"].items()),
            )


def _parameter(parameter: Mapping[str, Any]) -> Property:
    where = {"path": "địa chỉ", "query": "tham số", "header": "tiêu đề HTTP"}.get(parameter["in"], parameter["in"])
    return Property(parameter["name"], where, parameter.get("required", False), parameter.get("description", ""))


def _bodies(schema: Mapping[str, Any], operation: Mapping[str, Any]) -> Iterator[tuple[str, tuple[Property, ...]]]:
    """The body's object and every object it refers to, each once; of a form its fields."""
    contents = operation.get("requestBody", {}).get("content", {})
    form = contents.get(FORM_DATA, {}).get("schema", {})
    if form:
        yield FORM_DATA, tuple(_properties(form, schema))
    content = contents.get("application/json", {}).get("schema", {})
    waiting, seen = list(_references(content)), set[str]()
    while waiting:
        name = waiting.pop(0)
        if name in seen:
            continue
        seen.add(name)
        described = schema["components"]["schemas"][name]
        if properties := tuple(_properties(described, schema)):
            yield name, properties
        waiting += _references(described.get("properties", {}))


def _properties(described: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[Property]:
    needed = described.get("required", ())
    for name, field in described.get("properties", {}).items():
        yield Property(name, _kind(field, schema), name in needed, field.get("description", ""))


def _references(part: Any) -> Iterator[str]:
    """Names of the schemas that a part of a document refers to."""
    if isinstance(part, dict):
        if isinstance(reference := part.get("$ref"), str):
            yield reference.rsplit("/", 1)[-1]
        for value in part.values():
            yield from _references(value)
    elif isinstance(part, list):
        for value in part:
            yield from _references(value)


def _kind(field: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    if "$ref" in field:
        name = str(field["$ref"]).rsplit("/", 1)[-1]
        values = schema["components"]["schemas"][name].get("enum")
        return " | ".join(f'"{value}"' for value in values) if values else name
    if "anyOf" in field:
        return " | ".join(_kind(option, schema) for option in field["anyOf"])
    if field.get("type") == "array":
        return f"[{_kind(field.get('items', {}), schema)}]"
    return str(field.get("format") or field.get("type") or "")
