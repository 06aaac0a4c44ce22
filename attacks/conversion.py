"""The values of a spec string: text to what a parameter's annotation says, by pydantic."""

from __future__ import annotations

import inspect
import typing
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from .._utils.errors import UsageError, suggest

_WRONG = {
    "int_parsing": "is not a whole number",
    "float_parsing": "is not a number",
    "bool_parsing": "is neither true nor false",
}
_ANY = Annotated[int | float | str, Field(union_mode="left_to_right")]


def convert(name: str, key: str, text: str, kind: Any) -> Any:
    """Value of a parameter.

    Parameters
    ----------
    name, key : str
        Of the attack and its parameter, for the error.
    text : str
    kind : type or annotation
        Such as `int`, `float | None` or a `Literal`.

    Returns
    -------
    Any

    Raises
    ------
    UsageError
        The text is no such value: what was expected is named.
    """
    try:
        return TypeAdapter(kind).validate_python(text)
    except ValidationError as error:
        first = error.errors()[0]
        if first["type"] == "literal_error":
            raise UsageError(f"{name}: {key}={text!r}; " + suggest(text, _options(kind))) from None
        raise UsageError(f"{name}: {key}={text!r} {_WRONG.get(first['type'], first['msg'])}") from None


def _options(kind: Any) -> list[str]:
    """Words that a Literal allows, also one that is optional."""
    if typing.get_origin(kind) is typing.Literal:
        return list(typing.get_args(kind))
    return [word for part in typing.get_args(kind) for word in _options(part)]


def kind_of(name: str, key: str, default: object) -> Any:
    """Annotation that fits a default, where another library gives no annotation.

    Raises
    ------
    UsageError
        The default is no number, word or truth value, and no spec string can give another.
    """
    if default is None or default is inspect.Parameter.empty:
        return _ANY
    if isinstance(default, bool | int | float | str):
        return type(default)
    raise UsageError(f"{name}: {key} is a {type(default).__name__}, which no spec string can give")
