"""A leaf can be read in one way only: its canonical bytes are read, every other spelling of it is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from app.verifier.leaves import AuditEvent, BadLeaf, Leaf, read_leaf
from tests.verifier.packs import compact, lone_leaf, posting, small_story

ENTRY = small_story().leaves[2] | {"subject": "hld"}
TWO = lone_leaf("redeem", posting("held", "obligated", 9, 1), posting("held", "committed", 5, 2))
WRITTEN = rfc8785.dumps(TWO)


def test_an_entry_is_read_as_it_is_written() -> None:
    leaf = read_leaf(WRITTEN)
    assert type(leaf) is Leaf
    assert (leaf.id, leaf.kind, leaf.maker, leaf.at) == (TWO["id"], "redeem", None, TWO["at"])
    assert [(one.fen, one.source, one.destination, one.seq) for one in leaf.postings] == [
        (9, "held", "obligated", 1),
        (5, "held", "committed", 2),
    ]
    assert [one.hold for one in leaf.postings] == [TWO["postings"][0]["hold"]] * 2


def test_an_audit_event_is_read_as_one() -> None:
    names = ("action", "details", "id", "object", "organisation", "principal", "region", "request", "result")
    event = dict.fromkeys(names, "x") | {"v": 1, "alg": "sha256", "type": "audit_event", "at": TWO["at"]}
    read = read_leaf(rfc8785.dumps(event))
    assert type(read) is AuditEvent
    with pytest.raises(BadLeaf):
        read_leaf(rfc8785.dumps(event | {"postings": []}))


@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20), st.sampled_from(["subject", "principal", "pair"])
)
def test_whatever_text_a_member_holds_its_rfc_8785_bytes_are_the_ones_that_are_read(text: str, member: str) -> None:
    leaf = read_leaf(rfc8785.dumps(ENTRY | {member: text}))
    assert getattr(leaf, member) == text


OTHERWISE: dict[str, bytes] = {
    "a blank": WRITTEN.replace(b'"v":1', b'"v": 1'),
    "a newline at the end": WRITTEN + b"\n",
    "another order": compact(dict(reversed(TWO.items())))[:-1].replace(b'{"alg"', b'{"v":1,"alg"') + b"}",
    "a member twice": WRITTEN.replace(b'"fen":9', b'"fen":8,"fen":9'),
    "a member more": rfc8785.dumps(TWO | {"zoo": None}),
    "a member less": rfc8785.dumps({name: value for name, value in TWO.items() if name != "pair"}),
    "an escape that need not be": WRITTEN.replace(b'"redeem"', b'"r\\u0065deem"'),
    "an escaped slash": WRITTEN.replace(b'"redeem"', b'"re\\/deem"'),
    "a control character as it is": WRITTEN.replace(b'"redeem"', b'"re\ndeem"'),
    "half a pair of surrogates": WRITTEN.replace(b'"redeem"', b'"\\ud800"'),
    "no UTF-8": WRITTEN.replace(b'"redeem"', b'"\xff"'),
    "an amount with a point": WRITTEN.replace(b'"fen":9', b'"fen":9.0'),
    "an amount with an exponent": WRITTEN.replace(b'"fen":9', b'"fen":9e0'),
    "an amount as text": WRITTEN.replace(b'"fen":9', b'"fen":"9"'),
    "an amount of 2^53": WRITTEN.replace(b'"fen":9', b'"fen":9007199254740992'),
    "an amount below zero": WRITTEN.replace(b'"fen":9', b'"fen":-9'),
    "true for one": WRITTEN.replace(b'"seq":1', b'"seq":true'),
    "a line that is true": WRITTEN.replace(b'"line":1', b'"line":true'),
    "lines in another order": WRITTEN.replace(b'"line":2', b'"line":1'),
    "a hold that is null": rfc8785.dumps(TWO | {"postings": [TWO["postings"][0] | {"hold": None}]}),
    "a hold where nothing is held": rfc8785.dumps(TWO | {"postings": [TWO["postings"][0] | {"from": "committed"}]}),
    "no postings": rfc8785.dumps(TWO | {"postings": []}),
    "a voucher without its number": rfc8785.dumps(TWO | {"postings": [TWO["postings"][0] | {"seq": None}]}),
    "an object for a text": rfc8785.dumps(TWO | {"details": {"b": 1, "a": 2}}),
    "null for a text": rfc8785.dumps(TWO | {"subject": None}),
    "another version": rfc8785.dumps(TWO | {"v": 2}),
    "another hash": rfc8785.dumps(TWO | {"alg": "sm3"}),
    "a type that nobody knows": rfc8785.dumps(TWO | {"type": "note"}),
    "an instant without its second": rfc8785.dumps(TWO | {"at": "2026-11-24T03:08Z"}),
    "a list": b"[]",
    "nothing": b"",
    "too much": rfc8785.dumps(TWO | {"subject": "x" * 65_535}),
    "two leaves": WRITTEN + WRITTEN,
}


@pytest.mark.parametrize("name", OTHERWISE)
def test_every_other_spelling_is_refused(name: str) -> None:
    assert OTHERWISE[name] != WRITTEN
    with pytest.raises(BadLeaf):
        read_leaf(OTHERWISE[name])


def test_what_is_wrong_is_said() -> None:
    def told(leaf: dict[str, Any]) -> str:
        with pytest.raises(BadLeaf) as refused:
            read_leaf(json.dumps(leaf, sort_keys=True, separators=(",", ":")).encode())
        return str(refused.value)

    assert "$.postings[0].fen" in told(TWO | {"postings": [TWO["postings"][0] | {"fen": 0}]})
    assert told(TWO | {"zoo": 1}) == "Object contains unknown field `zoo`"
    assert told(TWO | {"at": "yesterday"}) == "at yesterday"
