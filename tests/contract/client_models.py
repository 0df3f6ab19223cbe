"""Writes the models of the Python client from the published contract: `python -m tests.contract.client_models`.

Data only; what the client does is written by hand. A new resource needs a run of this and a method.
"""

from __future__ import annotations

import json
import keyword
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
OPENAPI = ROOT / "openapi" / "openapi.json"
MODELS = ROOT / "app" / "client" / "models.py"

DOCUMENTS = {"Rules": "A rule document, as openapi/rules.schema.json describes it."}
"""Schemas with a language of their own: the client hands them on as they are."""
UNTYPED = "dict[str, Any]"
_SCALARS = {"string": "str", "integer": "int", "boolean": "bool", "number": "float", "null": "None"}

_HEAD = '''"""What the API takes and gives, field by field. Written by `python -m tests.contract.client_models`.

Amounts are integers of fen where the name says so, rates and unit prices decimal strings, instants RFC 3339 in UTC. An
answer's further fields are passed over, and its statuses and kinds are plain strings: the API grows within `/v1`.
In a request a field that is UNSET is not sent.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType


class Sent(msgspec.Struct, frozen=True):
    """Part of a request."""


class Answered(msgspec.Struct, frozen=True):
    """Part of an answer."""


'''


def openapi() -> dict[str, Any]:
    """The contract as it is checked in."""
    document: dict[str, Any] = json.loads(OPENAPI.read_text(encoding="utf-8"))
    return document


def python_name(schema: str) -> str:
    """A schema's name as a class: those that the contract tells apart by their module get its name in front."""
    parts = schema.split("__")
    return parts[-1] if len(parts) == 1 else "".join(word.title() for word in parts[-2].split("_")) + parts[-1]


def is_page(name: str) -> bool:
    """Whether it is but a page of something else."""
    return name.startswith("Page_")


def models_text(document: dict[str, Any]) -> str:
    """The whole module, formatted."""
    schemas = document["components"]["schemas"]
    sent = _reachable(schemas, _roots(document, "requestBody"))
    answered = _reachable(schemas, _roots(document, "responses"))
    aliases, structs = [], []
    for name in sorted(sent | answered, key=python_name):
        schema = schemas[name]
        if name in DOCUMENTS:
            aliases.append(f'{python_name(name)}: TypeAlias = {UNTYPED}\n"""{DOCUMENTS[name]}"""\n')
        elif "enum" in schema or "const" in schema:
            values = ", ".join(schema.get("enum") or [schema["const"]])
            aliases.append(f"{python_name(name)}: TypeAlias = str\n{_docstring(values)}\n")
        else:
            structs.append(_struct(name, schema, schemas, is_sent=name in sent))
    text = _HEAD + "\n".join(aliases) + "\n\n" + "\n\n".join(structs)
    command = [sys.executable, "-m", "ruff", "format", "--stdin-filename", str(MODELS), "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True, cwd=ROOT).stdout


def _roots(document: dict[str, Any], part: str) -> set[str]:
    return {
        name
        for path in document["paths"].values()
        for operation in path.values()
        if isinstance(operation, dict)
        for name in _refs(_without_problems(operation.get(part, {})))
    }


def _without_problems(part: Any) -> Any:
    """Problems are exceptions of the client's own."""
    return {name: one for name, one in part.items() if name[0] not in "45"} if isinstance(part, dict) else part


def _refs(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref" and not value.startswith("#/components/responses/"):
                yield value.rsplit("/", 1)[-1]
            elif key not in {"example", "examples", "discriminator"}:
                yield from _refs(value)
    elif isinstance(node, list):
        for value in node:
            yield from _refs(value)


def _reachable(schemas: dict[str, Any], roots: set[str]) -> set[str]:
    found: set[str] = set()
    waiting = sorted(roots)
    while waiting:
        name = waiting.pop()
        if name in found or name == "Problem":
            continue
        found.add(name)
        if name not in DOCUMENTS:
            waiting += _refs(schemas[name])
    return {name for name in found if not is_page(name)}


def _struct(name: str, schema: dict[str, Any], schemas: dict[str, Any], *, is_sent: bool) -> str:
    required = set(schema.get("required", ()))
    lines = [f"class {python_name(name)}({'Sent' if is_sent else 'Answered'}, frozen=True, kw_only=True):"]
    lines.append(textwrap.indent(_docstring(schema.get("description") or f"{python_name(name)}."), "    "))
    for field, described in schema.get("properties", {}).items():
        kind = _type(described, schemas)
        default = ""
        if field not in required:
            kind, default = (_or_unset(kind), "UNSET") if is_sent else (_or_none(kind), "None")
        attribute = field
        if keyword.iskeyword(field):
            attribute = f"{field}_"
            default = f'msgspec.field(name="{field}"{f", default={default}" if default else ""})'
        lines.append(f"    {attribute}: {kind}{f' = {default}' if default else ''}")
        if described.get("description"):
            lines.append(textwrap.indent(_docstring(described["description"]), "    "))
    return "\n".join(lines) + "\n"


def _docstring(text: str) -> str:
    text = text.replace("\\", "\\\\").replace('"""', "'''")
    paragraphs = [
        "\n".join(textwrap.wrap(paragraph, 110, break_long_words=False, break_on_hyphens=False))
        for paragraph in text.split("\n\n")
    ]
    whole = "\n\n".join(paragraphs)
    if whole.endswith('"'):
        whole = whole[:-1] + '\\"'
    return f'"""{whole}"""' if "\n" not in whole else f'"""{whole}\n"""'


def _or_none(kind: str) -> str:
    return kind if kind == "Any" or kind.endswith("None") else f"{kind} | None"


def _or_unset(kind: str) -> str:
    nullable = kind.endswith(" | None")
    return f"{kind.removesuffix(' | None')} | UnsetType{' | None' if nullable else ''}"


def _type(schema: dict[str, Any], schemas: dict[str, Any]) -> str:
    if "$ref" in schema:
        return python_name(schema["$ref"].rsplit("/", 1)[-1])
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        return _union(choices, schemas)
    if "const" in schema:
        return type(schema["const"]).__name__
    kind = schema.get("type")
    if kind == "array":
        return f"list[{_type(schema['items'], schemas) if schema.get('items') else 'Any'}]"
    if kind == "object":
        values = list(schema.get("patternProperties", {}).values())
        further = schema.get("additionalProperties")
        if isinstance(further, dict):
            values.append(further)
        return f"dict[str, {_type(values[0], schemas)}]" if len(values) == 1 else UNTYPED
    return _SCALARS.get(str(kind), "Any")


def _union(choices: list[dict[str, Any]], schemas: dict[str, Any]) -> str:
    """Several objects beside each other are told apart by the service, not by the client."""
    kinds = list(dict.fromkeys(_type(choice, schemas) for choice in choices))
    objects = [kind for kind in kinds if kind not in _SCALARS.values() and not kind.startswith("list[")]
    aliases = {python_name(name) for name, schema in schemas.items() if "enum" in schema}
    objects = [kind for kind in objects if kind not in aliases]
    lists = [kind for kind in kinds if kind.startswith("list[")]
    if len(objects) > 1:
        kinds = [UNTYPED, *(kind for kind in kinds if kind not in objects)]
    if len(lists) > 1:
        kinds = ["list[Any]", *(kind for kind in kinds if kind not in lists)]
    ordered = [kind for kind in kinds if kind != "None"] + [kind for kind in kinds if kind == "None"]
    return " | ".join(ordered)


if __name__ == "__main__":
    MODELS.write_text(models_text(openapi()), encoding="utf-8")
