"""Receipts: signed with the log's key over what the log will hold, the same wherever the entry is shown."""

from __future__ import annotations

import base64
import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from app.database import Database
from app.kernel.canonical import canonical
from app.services.identity.signing_keys import SigningKeys
from app.services.sealing.keys import LogKeys
from app.services.sealing.receipts import signed_bytes
from app.services.sealing.seal import seal
from app.settings import Settings
from tests.sealing.trees import leaf_hash, one
from tests.world import HANGZHOU, World, bill_body, counter, ok, redemption_body

TEXT = st.text(alphabet="ABCxyz0123456789._~:/[]-", min_size=1, max_size=40)


@given(st.fixed_dictionaries(dict.fromkeys(("log", "entry_id", "leaf_sha256", "at", "promised_by", "key_id"), TEXT)))
def test_the_signed_bytes_are_canonical_json(members: dict[str, str]) -> None:
    assert signed_bytes(**members) == canonical(members)


@pytest.mark.parametrize("name", ["", 'a"b', "a b", "a+b", "日志", "a\\b", "a\nb"])
def test_a_log_has_a_name_that_needs_no_escapes(settings: Settings, name: str) -> None:
    changed = settings.model_copy(update={"log_name": name, "public_url": name})
    with pytest.raises(ValueError, match="no name for a log"):
        LogKeys.from_settings(changed)


def check(receipt: dict[str, str], vkeys: list[str]) -> None:
    """As the guide tells it: the key from its text form, the members without the signature in canonical order."""
    by_id = {}
    for vkey in vkeys:
        name, key_id, encoded = vkey.split("+", 2)
        assert name == receipt["log"]
        by_id[key_id] = Ed25519PublicKey.from_public_bytes(base64.b64decode(encoded)[1:])
    members = {name: value for name, value in receipt.items() if name != "signature"}
    signed = json.dumps(members, sort_keys=True, separators=(",", ":")).encode()
    by_id[receipt["key_id"]].verify(base64.b64decode(receipt["signature"]), signed)


def test_a_receipt_can_be_checked_and_its_leaf_found_in_the_log(
    world: World, database: Database, sealing: Database, settings: Settings
) -> None:
    till = counter(world.city())
    answer = till.redeem(1_000, key="once")
    body = ok(answer)
    receipt = body["receipt"]
    vkeys = world.anonymous().get(f"/v1/logs/{HANGZHOU}/keys").text.splitlines()
    check(receipt, vkeys)
    with pytest.raises(InvalidSignature):
        check(receipt | {"entry_id": receipt["entry_id"] + "0"}, vkeys)
    leaf = bytes(one(database, "SELECT leaf FROM entries WHERE id = :id", id=body["entry_id"]))
    assert receipt["leaf_sha256"] == leaf_hash(leaf).hex() == hashlib.sha256(b"\x00" + leaf).hexdigest()
    assert (receipt["entry_id"], receipt["at"]) == (body["entry_id"], body["redeemed_at"])
    promised = datetime.fromisoformat(receipt["promised_by"]) - datetime.fromisoformat(receipt["at"])
    assert promised == timedelta(days=1)
    keys = LogKeys.from_settings(settings)
    sealing.transact(lambda tx: seal(tx, region_code=HANGZHOU, keys=keys))
    proof = ok(till.machine.get("/v1/ledger/proofs/inclusion", entry_id=receipt["entry_id"]))
    assert (proof["leaf_sha256"], proof["log"]) == (receipt["leaf_sha256"], receipt["log"])
    assert ok(till.machine.get(f"/v1/redemptions/{body['id']}"))["receipt"] == receipt
    (listed,) = ok(till.machine.get("/v1/redemptions"))["data"]
    assert listed["receipt"] == receipt
    code = till.voucher["code"]
    again = till.machine.post("/v1/redemptions", redemption_body(code, 1_000, order_no=body["order_no"]), key="once")
    assert again.content == answer.content


def test_every_answer_that_posted_something_has_its_receipt(world: World, database: Database) -> None:
    till = counter(world.city(), rate="0.30")
    vkeys = world.anonymous().get(f"/v1/logs/{HANGZHOU}/keys").text.splitlines()
    code = till.voucher["code"]
    hold = ok(till.machine.post("/v1/holds", {"voucher_code": code, "hold_no": "H1", "bill": bill_body(1_000)}))
    part = ok(till.machine.post("/v1/redemptions", {"hold_id": hold["id"], "order_no": "P1", "bill": bill_body(500)}))
    rows = [redemption_body(code, 1_000), redemption_body(code, 2_000)]
    batch = ok(till.machine.post("/v1/redemptions:batch", {"redemptions": rows}))["data"]
    refunded = ok(
        till.machine.post(f"/v1/redemptions/{batch[0]['body']['id']}/refunds", {"amount_fen": 1_000, "reason": "取消"})
    )
    refund = refunded["refund"]
    (listed,) = ok(till.machine.get(f"/v1/redemptions/{batch[0]['body']['id']}/refunds"))
    shown: list[dict[str, Any]] = [hold, part, batch[0]["body"], batch[1]["body"], refund, refunded["redemption"]]
    for body in shown:
        check(body["receipt"], vkeys)
        leaf = bytes(one(database, "SELECT leaf FROM entries WHERE id = :id", id=body["entry_id"]))
        assert body["receipt"]["leaf_sha256"] == leaf_hash(leaf).hex()
    assert listed["receipt"] == refund["receipt"]
    assert refunded["redemption"]["receipt"] == batch[0]["body"]["receipt"]
    assert ok(till.machine.get(f"/v1/holds/{hold['id']}"))["receipt"] == hold["receipt"]


def test_what_posted_nothing_has_no_receipt(world: World) -> None:
    till = counter(world.city(), rate="0.30", minimum_bill_fen=400)
    code = till.voucher["code"]
    hold = ok(till.machine.post("/v1/holds", {"voucher_code": code, "hold_no": "H1", "bill": bill_body(1_000)}))
    body = ok(till.machine.post("/v1/redemptions", {"hold_id": hold["id"], "order_no": "P1", "bill": bill_body(300)}))
    assert (body["subsidy_fen"], body["entry_id"], body["receipt"]) == (0, None, None)


def test_a_receipt_bears_the_name_that_the_log_has(
    world: World, database: Database, sealing: Database, settings: Settings
) -> None:
    till = counter(world.city())
    renamed = LogKeys(SigningKeys(settings.state_dir / "log-keys"), name="earlier.example")
    sealing.transact(lambda tx: seal(tx, region_code=HANGZHOU, keys=renamed))
    receipt = ok(till.redeem(1_000))["receipt"]
    assert receipt["log"] == f"earlier.example/{HANGZHOU}"
    check(receipt, world.anonymous().get(f"/v1/logs/{HANGZHOU}/keys").text.splitlines())


def test_the_log_begins_under_the_name_that_receipts_have_promised(
    world: World, database: Database, sealing: Database, settings: Settings
) -> None:
    """The sealer's settings say another name, as those of a process apart easily do."""
    receipt = ok(counter(world.city()).redeem(1_000))["receipt"]
    keys = world.anonymous().get(f"/v1/logs/{HANGZHOU}/keys").text
    apart = settings.model_copy(update={"log_name": "sealer.example", "public_url": "http://10.0.0.7:80"})
    with capture_logs() as told:
        keys_apart = LogKeys.from_settings(apart)
    assert [(line["event"], line["name"], line["not_taken"]) for line in told] == [
        ("logs.name_kept", "127.0.0.1:8000", "sealer.example")
    ]
    sealing.transact(lambda tx: seal(tx, region_code=HANGZHOU, keys=keys_apart))
    checkpoint = world.anonymous().get(f"/v1/logs/{HANGZHOU}/checkpoint").text
    assert checkpoint.splitlines()[0] == receipt["log"] == f"127.0.0.1:8000/{HANGZHOU}"
    assert world.anonymous().get(f"/v1/logs/{HANGZHOU}/keys").text == keys


def test_processes_that_start_at_once_agree_on_one_name(settings: Settings) -> None:
    def start(number: int) -> str:
        return LogKeys.from_settings(settings.model_copy(update={"log_name": f"n{number}.example"})).origin(HANGZHOU)

    with ThreadPoolExecutor(8) as pool:
        names = set(pool.map(start, range(16)))
    assert len(names) == 1
    assert {path.name for path in (settings.state_dir / "log-keys").glob("*name*")} == {"name"}
