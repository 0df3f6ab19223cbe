"""What a leaf must look like. A leaf is judged by its bytes; it is never written anew and hashed."""

from __future__ import annotations

import re
from typing import Any

import orjson

ENTRY = frozenset(
    (
        *("v", "alg", "type", "id", "region", "kind", "at", "programme", "voucher", "subject", "principal"),
        *("organisation", "maker", "checker", "approval", "request", "rules", "reverses", "pair", "voucher_end"),
        *("facts", "trace", "details", "postings"),
    )
)
AUDIT_EVENT = frozenset(
    (
        *("v", "alg", "type", "id", "region", "at", "principal", "organisation", "action", "object", "result"),
        *("request", "details"),
    )
)
POSTING = frozenset(("line", "pool", "from", "to", "fen", "voucher", "seq", "payee"))
POSTING_OF_HOLD = POSTING | {"hold"}

_AT = re.compile(r"[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]\.[0-9]{6}Z").fullmatch
_SORTED = orjson.OPT_SORT_KEYS
_LONGEST = 65_535


def read_leaf(written: bytes) -> tuple[dict[str, Any] | None, str]:
    """The leaf, or None and what is wrong with its bytes.

    That the bytes are canonical matters for one reason: there is no second way to read them (a member given twice).
    """
    if not 0 < len(written) <= _LONGEST:
        return None, f"{len(written)} bytes"
    try:
        leaf = orjson.loads(written)
    except orjson.JSONDecodeError as error:
        return None, str(error)
    if type(leaf) is not dict or orjson.dumps(leaf, option=_SORTED) != written:
        return None, "not canonical JSON"
    if leaf.get("v") != 1 or leaf.get("alg") != "sha256":
        return None, f"v {leaf.get('v')} alg {leaf.get('alg')}"
    kind = leaf.get("type")
    if kind == "entry":
        problem = _entry_problem(leaf)
    elif kind == "audit_event":
        problem = "" if leaf.keys() == AUDIT_EVENT else "its members"
    else:
        problem = f"type {kind}"
    if not problem and (type(leaf["at"]) is not str or not _AT(leaf["at"])):
        problem = f"at {leaf['at']}"
    return (None, problem) if problem else (leaf, "")


def _entry_problem(leaf: dict[str, Any]) -> str:
    if leaf.keys() != ENTRY:
        return "its members"
    postings = leaf["postings"]
    if type(postings) is not list or not postings:
        return "no postings"
    for line, posting in enumerate(postings, start=1):
        if type(posting) is not dict or posting.keys() != (POSTING if len(posting) == 8 else POSTING_OF_HOLD):
            return f"the members of posting {line}"
        if posting["line"] != line:
            return f"line {posting['line']} for {line}"
        fen = posting["fen"]
        if type(fen) is not int or fen <= 0:
            return f"posting {line}: fen {fen}"
        if (posting["voucher"] is None) != (posting["seq"] is None):
            return f"posting {line}: voucher without seq, or seq without voucher"
        if (posting["from"] == "held" or posting["to"] == "held") != ("hold" in posting):
            return f"posting {line}: hold"
    return ""
