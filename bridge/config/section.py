"""What every part of the file's shape is made of: a map with fixed keys."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError


class Section(BaseModel):
    """A map with fixed keys; an empty one may be written as nothing, and an empty value means: not set."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=False, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _unset(cls, value: Any) -> Any:
        if value is None:
            return {}
        return {key: one for key, one in value.items() if one is not None} if isinstance(value, dict) else value


def at(key: str, what: str) -> PydanticCustomError:
    """A fault of a whole map that is best shown at one of its keys."""
    return PydanticCustomError("at", "{what}", {"key": key, "what": what})
