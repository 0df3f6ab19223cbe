"""Validity in a pack: what a voucher was issued with, and extended to by sealed events; packs written by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.verifier.verify import Options, verify
from tests.verifier.packs import VALID_FROM, VALID_UNTIL, VOUCHER, PackMaker, Story, compact, posting, sha

LATER, MUCH_LATER = "2027-01-31T16:00:00.000000Z", "2027-02-28T16:00:00.000000Z"


def extension(story: Story, before: str, after: str, **changes: Any) -> None:
    """An event that makes the voucher valid longer, with its text."""
    at = changes.pop("at", "2026-11-25T04:00:00.000000Z")
    told = {
        "approval": "apv_330100_one",
        "ground": "rules",
        "maker": "usr_maker",
        "number": 1,
        "redeemable_until": after,
        "redeemable_until_before": before,
        "valid_until": after,
        "valid_until_before": before,
    } | changes
    text = compact(told)
    event_id = f"evt_330100_{len(story.leaves):026d}"
    story.leaves.append(
        {
            "action": "voucher.extended",
            "alg": "sha256",
            "at": at,
            "details": sha(text).hex(),
            "id": event_id,
            "object": VOUCHER,
            "organisation": "org_one",
            "principal": "usr_checker",
            "region": "330100",
            "request": "request",
            "result": "done",
            "type": "audit_event",
            "v": 1,
        }
    )
    story.texts.append({"entry": event_id, "kind": "details", "text": text.decode()})


def told_story(extend: Callable[[Story], None]) -> Story:
    """1,000.00 granted, a voucher of 500.00 with its validity told, 100.00 drawn; then it is extended."""
    story = Story()
    story.entry("appropriate", posting("appropriation", "available", 100_000))
    details = compact({"redeemable_until": VALID_UNTIL, "valid_from": VALID_FROM, "valid_until": VALID_UNTIL})
    hashed = sha(details).hex()
    issued = story.entry("issue", posting("available", "committed", 50_000, 1), details=hashed)
    story.texts.append({"entry": issued["id"], "kind": "details", "text": details.decode()})
    story.entry("redeem", posting("committed", "obligated", 10_000, 2), subject="rdm_330100_two")
    extend(story)
    return story


def checks(folder: Path, story: Story, until: str, **more: Any) -> set[str]:
    """What the verifier finds in a pack in which the voucher is stored as valid until then."""
    parts = {"face_fen": 50_000, "balance_fen": 40_000, "redeemed_fen": 10_000}
    parts |= dict.fromkeys(("held_fen", "recovered_fen", "expired_fen", "voided_fen", "surrendered_fen"), 0)
    maker = PackMaker(story=story, **more)
    maker.stored |= {
        "pools": [maker.stored["pools"][0]],
        "vouchers": [
            {"id": VOUCHER, **parts, "posting_count": 2}
            | {"valid_from": VALID_FROM, "valid_until": until, "redeemable_until": until}
        ],
        "allotments": [maker.stored["allotments"][0] | parts],
        "redemptions": [{"id": "rdm_330100_two", "mandate_id": "mdt_330100_one", "status": "posted"}],
        "mandates": [{"id": "mdt_330100_one", "used_fen": 10_000, "limit_fen": 50_000}],
        **{table: [] for table in ("holds", "hold_shares", "refunds")},
    }
    maker.stored["redemptions"][0] |= {"subsidy_fen": 10_000, "refunded_fen": 0, "recovered_fen": 0}
    report = verify(maker.write(folder), Options())
    return set(report.findings.counts)


def test_issued_and_extended_twice(tmp_path: Path) -> None:
    def twice(story: Story) -> None:
        extension(story, VALID_UNTIL, LATER)
        extension(story, LATER, MUCH_LATER, number=2)

    story = told_story(twice)
    assert checks(tmp_path / "right", story, MUCH_LATER) == set()
    assert checks(tmp_path / "stored", story, LATER) == {"validity_stored"}
    assert checks(tmp_path / "one", told_story(lambda _: None), VALID_UNTIL) == set()
    assert checks(tmp_path / "edited", told_story(lambda _: None), LATER) == {"validity_stored"}


@pytest.mark.parametrize(
    "changes",
    [
        {"maker": "usr_checker"},
        {"valid_until_before": LATER, "redeemable_until_before": LATER},
        {"valid_until": VALID_FROM, "redeemable_until": VALID_FROM},
    ],
    ids=["one person", "does not follow", "ends earlier"],
)
def test_an_extension_that_was_none(tmp_path: Path, changes: dict[str, Any]) -> None:
    story = told_story(lambda one: extension(one, VALID_UNTIL, LATER, **changes))
    assert "extension" in checks(tmp_path / "pack", story, changes.get("valid_until", LATER))


def test_drawn_after_the_end_that_an_extension_puts_off(tmp_path: Path) -> None:
    def late(story: Story) -> None:
        story.leaves[-1]["at"] = "2027-01-01T01:00:00.000001Z"
        extension(story, VALID_UNTIL, LATER, at="2027-01-01T02:00:00.000000Z")

    # "taken_at": the pack is dated of 2026-11-26, before these leaves.
    assert checks(tmp_path / "pack", told_story(late), LATER) == {"extension", "taken_at"}


def test_an_extension_without_its_text(tmp_path: Path) -> None:
    story = told_story(lambda one: extension(one, VALID_UNTIL, LATER))
    story.texts.pop()
    assert "text_missing" in checks(tmp_path / "pack", story, LATER)


def test_an_extension_that_waits_to_be_sealed_is_not_judged(tmp_path: Path) -> None:
    story = told_story(lambda one: extension(one, VALID_UNTIL, LATER))
    assert checks(tmp_path / "pack", story, LATER, unsealed=1) == set()
