"""JSON schemas whole in themselves, for routes that read their own bodies: the framework cannot publish those."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel


def inlined(model: type[BaseModel]) -> dict[str, Any]:
    """The model's JSON schema with every part in its place: a reference would point nowhere in the contract."""
    schema = model.model_json_schema()
    parts = schema.pop("$defs", {})

    def whole(value: Any) -> Any:
        if isinstance(value, dict):
            name = str(value.get("$ref", "")).removeprefix("#/$defs/")
            if name in parts:
                return whole(parts[name] | {key: inner for key, inner in value.items() if key != "$ref"})
            return {key: whole(inner) for key, inner in value.items()}
        return [whole(inner) for inner in value] if isinstance(value, list) else value

    found: dict[str, Any] = whole(schema)
    return found
