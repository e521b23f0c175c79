"""The schema in words: what a field allows, for messages and for the reference."""

import types
import typing
from typing import Any, Literal, get_args, get_origin

import annotated_types
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from config.schema import Config
from config.table import Allowed

SECRET = 'a string, or { env = "NAME" } or { file = "PATH" }'
_PLAIN: dict[Any, str] = {
    str: "a string",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    SecretStr: SECRET,
}


def allowed(field: FieldInfo, *, item: bool = False) -> str:
    """What may stand at this field, or at one item of the list that it holds."""
    if item and get_origin(field.annotation) is tuple:
        return _of_type(get_args(field.annotation)[0], [])
    extra = field.json_schema_extra
    if isinstance(extra, dict) and "allowed" in extra:
        return str(extra["allowed"])
    return _of_type(field.annotation, field.metadata)


def _of_type(annotation: Any, metadata: list[Any]) -> str:
    said = next((str(item) for item in metadata if isinstance(item, Allowed)), None)
    if get_origin(annotation) is typing.Annotated:
        inner, *more = get_args(annotation)
        return said or _of_type(inner, [*metadata, *more])
    if annotation is SecretStr and not said and (least := _minimum_length(metadata)):
        return f"{'not empty' if least == 1 else f'at least {least} characters'}: {SECRET}"
    if annotation is SecretStr and said:
        return f'{said}; also {{ env = "NAME" }} or {{ file = "PATH" }}'
    if said:
        return said
    if get_origin(annotation) is Literal:
        return " or ".join(f'"{value}"' for value in get_args(annotation))
    if get_origin(annotation) is tuple:
        item = get_args(annotation)[0]
        if isinstance(item, type) and issubclass(item, BaseModel):
            return "tables"
        return f"a list; each of it {_of_type(item, [])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "a table"
    if annotation is str and _minimum_length(metadata):
        return "a string that is not empty"
    return _PLAIN[annotation] + _range(metadata)


def _minimum_length(metadata: list[Any]) -> int:
    return next((m.min_length for m in metadata if isinstance(m, annotated_types.MinLen)), 0)


def _range(metadata: list[Any]) -> str:
    """The bounds in words."""
    low = high = ""
    for item in metadata:
        if isinstance(item, annotated_types.Ge):
            low = f"at least {item.ge:g}"
        elif isinstance(item, annotated_types.Gt):
            low = f"more than {item.gt:g}"
        elif isinstance(item, annotated_types.Le):
            high = f"at most {item.le:g}"
    bounds = " and ".join(part for part in (low, high) if part)
    return f", {bounds}" if bounds else ""


def is_secret(field: FieldInfo) -> bool:
    """Whether the field's value must not be shown."""
    return field.annotation is SecretStr


def model_of(field: FieldInfo) -> type[BaseModel] | None:
    """The model of a table or of each of several tables, or None for a plain field."""
    annotation: Any = field.annotation
    if get_origin(annotation) is tuple:
        annotation = get_args(annotation)[0]
    if isinstance(annotation, types.GenericAlias) or not isinstance(annotation, type):
        return None
    return annotation if issubclass(annotation, BaseModel) else None


def field_at(
    key: tuple[str | int, ...], root: type[BaseModel] = Config
) -> tuple[type[BaseModel], FieldInfo | None]:
    """The model that the key's last name belongs to, and its field if there is one."""
    model = root
    field: FieldInfo | None = None
    names = [part for part in key if isinstance(part, str)]
    for position, name in enumerate(names):
        field = model.model_fields.get(name)
        inner = model_of(field) if field else None
        if inner is None or position == len(names) - 1:
            break
        model = inner
    return model, field
