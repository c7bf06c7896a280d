"""Configuration files: YAML read into a frozen model, with the file, the line and the field of each fault."""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from kit.errors import Permanent

M = TypeVar("M", bound=BaseModel)
Loc = tuple[int | str, ...]


class BadFile(Permanent):
    """A configuration file is wrong. One line for each fault: "agencies/x.yaml:42: units[3].code: …"."""

    def __init__(self, *faults: str) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def read_yaml(path: Path, model: type[M]) -> M:
    """The file at `path` as a `model`. Raises `BadFile` with every fault that was found."""
    try:
        text = path.read_text(encoding="utf-8")
        data = parse(text)
    except (OSError, UnicodeDecodeError) as error:
        raise BadFile(f"{path}: cannot be read ({type(error).__name__})") from None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise BadFile(f"{path}:{line}: not valid YAML: {error.problem or error.context}") from None
    except YAMLError as error:
        raise BadFile(f"{path}:1: not valid YAML ({type(error).__name__})") from None
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise BadFile(*_faults(path, text, error)) from None


@lru_cache(maxsize=16)
def parse(text: str) -> Any:
    """What a YAML text holds; not to be changed by the caller. Raises ruamel's `YAMLError`.

    A text is parsed once in a process: that takes longer than all else that puts a service together.
    """
    return _parser().load(text)


def _parser() -> YAML:
    return YAML(typ="safe", pure=True)


def _faults(path: Path, text: str, error: ValidationError) -> Iterator[str]:
    root = _parser().compose(text)
    for fault in error.errors(include_url=False, include_input=False, include_context=False):
        yield f"{path}:{_line(root, fault['loc'])}: {_field(fault['loc'])}: {fault['msg']}"


def _line(root: Node | None, loc: Loc) -> int:
    """The line, from 1, of the deepest part of `loc` that the file has: a missing field is shown at its owner."""
    if root is None:
        return 1
    node, line = root, root.start_mark.line
    for part in loc:
        child = _child(node, part)
        if child is None:
            break
        node, line = child
    return int(line) + 1


def _child(node: Node, part: int | str) -> tuple[Node, int] | None:
    """The value under a key or index, and the line where the key or item stands."""
    if isinstance(node, MappingNode):
        return next(((value, key.start_mark.line) for key, value in node.value if key.value == part), None)
    if isinstance(node, SequenceNode) and isinstance(part, int) and part < len(node.value):
        item = node.value[part]
        return item, item.start_mark.line
    return None


def _field(loc: Loc) -> str:
    """A place in the file as a person reads it: `units[3].code`."""
    field = ""
    for part in loc:
        field += f"[{part}]" if isinstance(part, int) else f".{part}"
    return field.removeprefix(".") or "(file)"


def faults_at(model: str, faults: Iterable[tuple[Loc, str]]) -> ValidationError:
    """What a model's validator raises for faults at places inside that model, so that their lines can be told."""
    details = [
        InitErrorDetails(type=PydanticCustomError("profile", "{fault}", {"fault": message}), loc=loc, input=None)
        for loc, message in faults
    ]
    return ValidationError.from_exception_data(model, details, hide_input=True)
