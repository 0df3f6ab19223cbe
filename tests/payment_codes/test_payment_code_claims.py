"""The one use of a payment code: claimed, raced for, given back; and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from app.database import Database
from app.embedded.databases import Urls
from app.kernel.ids import new_id
from app.kernel.payment_digits import digits_of
from app.kernel.problems import Code
from app.reach import EVERYWHERE
from app.services.redemption.decisions import Refused
from app.services.redemption.payment_codes import (
    PaymentCodeGiven,
    PaymentCodeState,
    claim_payment_codes,
    find_payment_codes,
    read_given,
    refuse_over_limit,
    refuse_payment_code,
)
from app.services.redemption.presented_codes import Presented, PresentedCodes
from app.services.vouchers.payment_secrets import PaymentSecrets
from app.settings import Settings
from app.sql import now
from tests.payment_codes.codes import age, make, path_of
from tests.world import HANGZHOU, Counter, World, counter, ok

AT = datetime(2026, 11, 24, 3, tzinfo=UTC)
STATE = PaymentCodeState(HANGZHOU, "pay_1", "vch_1", "org_1", 50_000, AT + timedelta(minutes=10), None, 0)
MINE: dict[str, Any] = {"provider_id": "org_1", "voucher_id": "vch_1"}


@pytest.fixture
def secrets(world: World, settings: Settings) -> PaymentSecrets:
    return PaymentSecrets.from_settings(settings)


@dataclass(frozen=True)
class Till:
    """A provider's side: what it sends for its voucher, in batches of its own."""

    desk: Counter
    secrets: PaymentSecrets

    def sent(self, text: str, *, desk: Counter | None = None) -> Presented:
        by = desk or self.desk
        provider_id = by.machine.organisation_id
        code = self.desk.voucher["code"].replace("-", "")
        given = read_given(text, self.secrets, voucher_code=code, provider_id=provider_id)
        return Presented(HANGZHOU, provider_id, given)

    def batch(self, database: Database, presented: Mapping[str, Presented], *, keep: bool = True) -> dict[str, Any]:
        """One batch as the desk runs it: claim, lock, load, judge one after the other, write. An answer per use."""
        return database.transact(lambda tx: self.run(tx, presented, keep=keep))

    def run(self, tx: Connection, presented: Mapping[str, Presented], *, keep: bool = True) -> dict[str, Any]:
        codes = PresentedCodes(tx)
        waiting = codes.claim(presented)
        voucher_id = self.desk.voucher["id"]
        tx.execute(text("SELECT 1 FROM vouchers WHERE id = :id FOR NO KEY UPDATE"), {"id": voucher_id})
        codes.load()
        at = now(tx)
        answers: dict[str, Any] = dict.fromkeys(waiting, "waits")
        for use in presented:
            if use not in waiting:
                refused = codes.refuse(use, voucher_id=voucher_id, at=at)
                answers[use] = "drawn" if refused is None else refused.code.value
        used = {use for use, answer in answers.items() if answer == "drawn"} if keep else set()
        codes.write(used)
        return answers

    def used_by(self, database: Database) -> list[str]:
        return database.transact(lambda tx: list(tx.execute(text("SELECT used_by FROM payment_code_uses")).scalars()))


@pytest.fixture
def till(world: World, secrets: PaymentSecrets) -> Till:
    return Till(counter(world.city()), secrets)


def use() -> str:
    return new_id("rdm", HANGZHOU)


# -- pure ---------------------------------------------------------------------------------------------------------


def test_an_open_code_is_consent_until_its_very_end() -> None:
    assert refuse_payment_code(STATE, **MINE, at=AT) is None
    assert refuse_payment_code(STATE, **MINE, at=STATE.valid_until - timedelta(microseconds=1)) is None
    assert refuse_payment_code(STATE, **MINE, at=STATE.valid_until) == Refused(
        Code.PAYMENT_CODE_EXPIRED, {"limit": STATE.valid_until, "actual": STATE.valid_until}
    )


@pytest.mark.parametrize(
    ("state", "asked", "code"),
    [
        (None, {}, Code.PAYMENT_CODE_INVALID),
        (STATE, {"provider_id": "org_2"}, Code.PAYMENT_CODE_INVALID),
        (STATE, {"voucher_id": "vch_2"}, Code.PAYMENT_CODE_INVALID),
        (replace(STATE, withdrawn_at=AT), {}, Code.PAYMENT_CODE_INVALID),
        (replace(STATE, wrong_digits=5), {"is_digits": True}, Code.PAYMENT_CODE_INVALID),
        (replace(STATE, wrong_digits=5, used_by="rdm_1"), {"is_digits": True}, Code.PAYMENT_CODE_INVALID),
        (replace(STATE, wrong_digits=5), {}, None),
        (replace(STATE, wrong_digits=4), {"is_digits": True}, None),
        (replace(STATE, used_by="rdm_1"), {}, Code.PAYMENT_CODE_USED),
        (replace(STATE, used_by="rdm_1", valid_until=AT), {}, Code.PAYMENT_CODE_USED),
        (replace(STATE, used_by="rdm_1"), {"provider_id": "org_2"}, Code.PAYMENT_CODE_INVALID),
        (replace(STATE, valid_until=AT), {}, Code.PAYMENT_CODE_EXPIRED),
        (replace(STATE, valid_until=AT), {"voucher_id": "vch_2"}, Code.PAYMENT_CODE_INVALID),
    ],
)
def test_each_refusal_has_its_code_and_what_is_foreign_tells_nothing(
    state: PaymentCodeState | None, asked: dict[str, Any], code: Code | None
) -> None:
    refused = refuse_payment_code(state, **(MINE | asked), at=AT)
    assert (refused and refused.code) == code


def test_the_maximum_may_be_reached_and_not_exceeded() -> None:
    assert refuse_over_limit(STATE, amount_fen=50_000) is None
    assert refuse_over_limit(STATE, amount_fen=50_001) == Refused(
        Code.PAYMENT_CODE_EXCEEDED, {"limit_fen": 50_000, "actual_fen": 50_001}
    )


# -- on the database ----------------------------------------------------------------------------------------------


def test_a_code_is_used_once_by_its_token_or_by_its_digits(database: Database, till: Till) -> None:
    made = make(till.desk)
    first = use()
    assert till.batch(database, {first: till.sent(made["token"])}) == {first: "drawn"}
    second, third = use(), use()
    again = {second: till.sent(made["digits"]), third: till.sent(made["token"])}
    assert till.batch(database, again) == {second: "payment_code_used", third: "payment_code_used"}
    assert till.used_by(database) == [first]
    (listed,) = ok(till.desk.manager.get(path_of(till.desk)))["data"]
    assert (listed["status"], listed["used_by"], listed["wrong_digits"]) == ("used", first, 0)


def test_of_two_in_one_batch_the_second_waits_for_the_first(database: Database, till: Till) -> None:
    made = make(till.desk)
    first, second = use(), use()
    both = {first: till.sent(made["token"]), second: till.sent(made["digits"])}
    assert sorted(till.batch(database, both).values()) == ["drawn", "waits"]
    assert len(till.used_by(database)) == 1


def test_what_is_refused_or_put_off_gives_its_code_back(database: Database, till: Till) -> None:
    made = make(till.desk)
    assert list(till.batch(database, {use(): till.sent(made["token"])}, keep=False).values()) == ["drawn"]
    assert till.used_by(database) == []
    assert list(till.batch(database, {use(): till.sent(made["token"])}).values()) == ["drawn"]


def test_two_services_race_for_one_code_and_the_loser_waits_for_the_outcome(
    database: Database, till: Till, urls: Urls
) -> None:
    made = make(till.desk)
    key = {"w": (HANGZHOU, made["id"])}
    claimed, go_on = Event(), Event()

    def slow(tx: Connection) -> None:
        assert claim_payment_codes(tx, key) == {"w"}
        claimed.set()
        assert go_on.wait(10)

    other = Database(urls.app_url, pool_size=2, reach=EVERYWHERE)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(database.transact, slow)
        assert claimed.wait(10)
        use_id = use()
        second = pool.submit(till.batch, other, {use_id: till.sent(made["token"])})
        with pytest.raises(TimeoutError):
            second.result(timeout=0.3)
        go_on.set()
        first.result(timeout=10)
        assert second.result(timeout=10) == {use_id: "payment_code_used"}
    other.dispose()
    assert till.used_by(database) == ["w"]


def test_twenty_racing_batches_use_a_code_once(database: Database, till: Till) -> None:
    made = make(till.desk)
    sent = [till.sent(made["token" if number % 2 else "digits"]) for number in range(20)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda one: till.batch(database, {use(): one}), sent))
    assert sorted(answer for batch in answers for answer in batch.values()) == ["drawn"] + 19 * ["payment_code_used"]


def test_what_is_forged_unknown_or_foreign_is_not_valid_and_claims_nothing(
    database: Database, till: Till, world: World
) -> None:
    neighbour = counter(till.desk.city)
    made, foreign = make(till.desk), make(neighbour)
    header, payload, signature = made["token"].split(".")
    presented = {
        "forged": till.sent(f"{header}.{payload}.{'A' * len(signature)}"),
        "another voucher's": till.sent(foreign["token"], desk=neighbour),
        "another provider's": till.sent(made["token"], desk=neighbour),
        "another's digits": till.sent(made["digits"], desk=neighbour),
        "unknown": Presented(
            HANGZHOU, till.desk.machine.organisation_id, PaymentCodeGiven("", id=new_id("pay", HANGZHOU))
        ),
    }
    uses = {use(): one for one in presented.values()}
    assert set(till.batch(database, uses).values()) == {"payment_code_invalid"}
    assert till.used_by(database) == []
    assert list(till.batch(database, {use(): till.sent(made["token"])}).values()) == ["drawn"]


def test_nobody_claims_another_providers_code_not_even_for_a_moment(database: Database, till: Till) -> None:
    neighbour = counter(till.desk.city)
    made = make(till.desk)
    given = till.sent(made["token"]).given

    def found_by(provider_id: str) -> dict[str, tuple[str, str]]:
        return database.transact(lambda tx: find_payment_codes(tx, {"use": (HANGZHOU, provider_id, given)}))

    assert found_by(till.desk.machine.organisation_id) == {"use": (HANGZHOU, made["id"])}
    assert found_by(neighbour.machine.organisation_id) == {}


def test_withdrawn_is_not_valid_and_expired_says_so(database: Database, till: Till, urls: Urls) -> None:
    withdrawn, expired = make(till.desk), make(till.desk)
    ok(till.desk.manager.http.delete(f"{path_of(till.desk)}/{withdrawn['id']}"))
    age(urls, expired["id"])
    by_token = {use(): till.sent(withdrawn["token"]), use(): till.sent(expired["token"])}
    assert list(till.batch(database, by_token).values()) == ["payment_code_invalid", "payment_code_expired"]
    by_digits = {use(): till.sent(withdrawn["digits"]), use(): till.sent(expired["digits"])}
    assert list(till.batch(database, by_digits).values()) == ["payment_code_invalid", "payment_code_expired"]
    assert till.used_by(database) == []


def test_a_code_withdrawn_while_a_batch_waits_for_the_voucher_is_not_used(database: Database, till: Till) -> None:
    made = make(till.desk)
    use_id = use()

    def work(tx: Connection) -> Any:
        codes = PresentedCodes(tx)
        assert codes.claim({use_id: till.sent(made["token"])}) == set()
        ok(till.desk.manager.http.delete(f"{path_of(till.desk)}/{made['id']}"))  # its lock comes first
        tx.execute(text("SELECT 1 FROM vouchers FOR NO KEY UPDATE"))
        codes.load()
        refused = codes.refuse(use_id, voucher_id=till.desk.voucher["id"], at=now(tx))
        codes.write(set())
        return refused

    assert database.transact(work) == Refused(Code.PAYMENT_CODE_INVALID)
    assert till.used_by(database) == []


def wrong(made: Any, number: int) -> str:
    """Digits in good form that no code of these tests has."""
    digits = digits_of(number)
    assert digits not in {one["digits"].replace(" ", "") for one in made}, "one in ten million"
    return digits


def test_after_five_wrong_numbers_only_the_token_is_taken(database: Database, till: Till) -> None:
    made, second = make(till.desk), make(till.desk)
    for number in range(4):
        answers = till.batch(database, {use(): till.sent(wrong([made, second], number))})
        assert list(answers.values()) == ["payment_code_invalid"]
    assert list(till.batch(database, {use(): till.sent(second["digits"])}).values()) == ["drawn"]
    till.batch(database, {use(): till.sent(wrong([made], 4))})
    assert list(till.batch(database, {use(): till.sent(made["digits"])}).values()) == ["payment_code_invalid"]
    listed = ok(till.desk.manager.get(path_of(till.desk)))["data"]
    assert {code["id"]: code["wrong_digits"] for code in listed}[made["id"]] == 5
    fresh = make(till.desk)
    assert list(till.batch(database, {use(): till.sent(fresh["digits"])}).values()) == ["drawn"]
    assert list(till.batch(database, {use(): till.sent(made["token"])}).values()) == ["drawn"]


def test_a_batch_of_guesses_buys_no_more_than_five(database: Database, till: Till) -> None:
    made = make(till.desk)
    guesses = [wrong([made], number) for number in range(50)]
    with_the_sixth_right = [*guesses[:5], made["digits"], *guesses[5:]]
    answers = till.batch(database, {use(): till.sent(one) for one in with_the_sixth_right})
    assert set(answers.values()) == {"payment_code_invalid"}
    assert till.used_by(database) == []

    lucky = make(till.desk)
    with_the_fifth_right = [wrong([made, lucky], number) for number in range(4)] + [lucky["digits"]]
    answers = till.batch(database, {use(): till.sent(one) for one in with_the_fifth_right})
    assert list(answers.values()) == 4 * ["payment_code_invalid"] + ["drawn"]


def test_wrong_numbers_for_another_voucher_do_no_harm(database: Database, till: Till) -> None:
    made = make(till.desk)
    neighbour = Till(till.desk.second_voucher(10_000), till.secrets)
    for number in range(6):
        neighbour.batch(database, {use(): neighbour.sent(wrong([made], number))})
    assert list(till.batch(database, {use(): till.sent(made["digits"])}).values()) == ["drawn"]


def test_a_code_that_a_redemption_used_cannot_be_given_back(world: World, till: Till) -> None:
    made = make(till.desk)
    redemption = ok(till.desk.redeem(1_000))
    key = {redemption["id"]: (HANGZHOU, made["id"])}
    world.database.transact(lambda tx: claim_payment_codes(tx, key))
    with pytest.raises(DBAPIError, match="giving it back is refused"):
        world.database.transact(lambda tx: tx.execute(text("DELETE FROM payment_code_uses")))
    with pytest.raises(DBAPIError, match="permission denied"):
        world.database.transact(lambda tx: tx.execute(text("UPDATE payment_code_uses SET used_by = 'other'")))
    with pytest.raises(DBAPIError, match="permission denied"):
        world.database.transact(lambda tx: tx.execute(text("UPDATE payment_codes SET limit_fen = 1")))
