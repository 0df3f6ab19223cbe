"""The client against the service, and against a network that fails: whatever is sent again is done once."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator

import msgspec
import pytest
from sqlalchemy import insert, update

from app.client import (
    ClientCredentials,
    Conflict,
    Forbidden,
    Invalid,
    NotAPath,
    NotFound,
    NotSignedIn,
    Patience,
    TooMany,
    Unauthenticated,
    Unavailable,
    Undecided,
    Unreachable,
    Unreadable,
    VoucherClient,
    models,
)
from app.kernel.ids import new_id
from app.kernel.vocabulary import IdentifierType, OrganisationKind, Role
from app.models import Client, Organisation
from tests.client.faulty import Answer, Fault, Network, network_to
from tests.world import LONG_AGO, Actor, City, Counter, World, counter, programme_body, redemption_body, uscc_of

BUSY = Answer(503, "busy", {"Retry-After": "0"})
HURRIED = Patience(total_s=30, unreachable_s=0.2, answer_s=10, connect_s=1)


@pytest.fixture
def city(world: World) -> City:
    return world.city()


@pytest.fixture
def network(world: World) -> Iterator[Network]:
    with network_to(world.base_url) as network:
        yield network


def client_of(actor: Actor, url: str, *, language: str = "en") -> VoucherClient:
    token = actor.http.headers["Authorization"].removeprefix("Bearer ")
    return VoucherClient(url, token=token, language=language, patience=HURRIED)


def bill(desk: Counter, total_fen: int) -> models.RedemptionCreate:
    return msgspec.convert(redemption_body(desk.voucher["code"], total_fen), models.RedemptionCreate)


@pytest.mark.parametrize(
    "faults",
    [
        [Fault.LOST_ANSWER],
        [Fault.LOST_ON_THE_WAY],
        [BUSY, Fault.LOST_ANSWER, Answer(502, "bad_gateway")],
        [Fault.LOST_ANSWER, Answer(409, "request_in_progress"), Answer(429, "throttled", {"Retry-After": "0"})],
    ],
    ids=["answer lost", "request lost", "busy, lost, bad gateway", "lost, in progress, throttled"],
)
def test_a_redemption_that_is_sent_again_has_one_key_and_one_effect(
    world: World, city: City, network: Network, faults: list[Fault | Answer]
) -> None:
    desk = counter(city, face_value_fen=100_000, rate="0.30")
    tries = len(faults) + 1
    network.faults = faults
    with client_of(desk.machine, network.url) as client:
        redeemed = client.redemptions.create(bill(desk, 10_000))
        assert redeemed.subsidy_fen == 3_000
        assert len(network.seen) == tries
        assert len(set(network.keys())) == 1 and network.keys()[0]
        assert len({one.body for one in network.seen}) == 1
        assert [one.id for one in client.redemptions.list()] == [redeemed.id]
    assert desk.balance_fen() == 97_000
    assert world.differences() == []


def test_a_key_that_is_given_is_the_one_that_is_sent_each_time(city: City, network: Network) -> None:
    desk = counter(city, face_value_fen=100_000)
    network.faults = [Fault.LOST_ANSWER]
    order = bill(desk, 10_000)
    with client_of(desk.machine, network.url) as client:
        first = client.redemptions.create(order, key="order-77")
        assert client.redemptions.create(order, key="order-77") == first
    assert network.keys() == ["order-77"] * 3


def test_what_has_no_key_is_never_sent_twice(city: City, network: Network) -> None:
    draft = msgspec.convert(programme_body(city), models.ProgrammeBody)
    with client_of(city.maker, network.url) as client:
        network.faults = [Fault.LOST_ANSWER]
        with pytest.raises(Undecided) as undecided:
            client.programmes.create(draft)
        assert undecided.value.key is None
        assert len(network.seen) == 1
        assert len(list(client.programmes.list())) == 1
        network.faults = [Answer(503, "busy")]
        with pytest.raises(Unavailable):
            client.programmes.create(draft)
        assert len(list(client.programmes.list())) == 1


def test_a_question_is_asked_until_it_is_answered(city: City, network: Network) -> None:
    programme_id = city.programme()
    network.faults = [Fault.LOST_ANSWER, BUSY, Fault.LOST_ON_THE_WAY]
    with client_of(city.maker, network.url) as client:
        assert client.programmes.get(programme_id).status == "published"
    assert len(network.seen) == 4


def test_it_gives_up_in_time_and_says_under_which_key_to_go_on(city: City, network: Network) -> None:
    desk = counter(city)
    network.faults = [Fault.LOST_ON_THE_WAY] * 50
    token = desk.machine.http.headers["Authorization"].removeprefix("Bearer ")
    began = time.monotonic()
    with VoucherClient(network.url, token=token, patience=Patience(total_s=0.5)) as client:
        with pytest.raises(Undecided) as undecided:
            client.redemptions.create(bill(desk, 10_000), key="mine")
        assert undecided.value.key == "mine"
        with pytest.raises(Unreachable):
            client.redemptions.get("rdm_330100_00000000000000000000000000")
    assert time.monotonic() - began < 20


def test_a_wait_that_is_longer_than_its_patience_is_told_at_once(city: City, network: Network) -> None:
    network.faults = [Answer(429, "too_many_attempts", {"Retry-After": "900"})]
    with client_of(city.maker, network.url) as client, pytest.raises(TooMany) as told:
        client.programmes.get("prg_330100_00000000000000000000000000")
    assert told.value.retry_after_s == 900
    assert len(network.seen) == 1


def test_it_waits_as_long_as_it_is_asked_to(city: City, network: Network) -> None:
    network.faults = [Answer(429, "throttled", {"Retry-After": "1"})]
    began = time.monotonic()
    with client_of(city.maker, network.url) as client:
        assert list(client.programmes.list()) == []
    assert time.monotonic() - began >= 1


def test_a_service_that_is_not_there_is_told() -> None:
    with VoucherClient("http://127.0.0.1:1", token="t", patience=HURRIED) as client, pytest.raises(Unreachable):
        client.programmes.get("prg_330100_00000000000000000000000000")
    with VoucherClient("127.0.0.1:1", token="t", patience=HURRIED) as client, pytest.raises(Unreachable):
        next(client.programmes.list())


def test_an_id_never_leads_to_another_route(city: City, network: Network) -> None:
    with client_of(city.maker, network.url) as client:
        for id_ in ("../../healthz", "a/../b", "x?limit=1", "x#y", "%2e%2e", "", "项目"):
            with pytest.raises(NotAPath):
                client.programmes.get(id_)
    assert network.seen == []


def test_an_answer_that_follows_no_contract_is_told(city: City, network: Network) -> None:
    network.faults = [Answer(200, "fine")]
    with client_of(city.maker, network.url) as client, pytest.raises(Unreadable, match="GET /v1/programmes/x"):
        client.programmes.get("x")


def test_problems_are_exceptions_with_all_that_was_said(world: World, city: City) -> None:
    desk = counter(city, face_value_fen=100)
    order = bill(desk, 10_000)
    with client_of(desk.machine, world.base_url) as client:
        client.redemptions.create(order)
        with pytest.raises(Conflict) as used:
            client.redemptions.create(order)
        assert used.value.code == "order_no_already_used"
        assert used.value.context["redemption_id"].startswith("rdm_330100_")
        assert used.value.request_id
        with pytest.raises(NotFound):
            client.redemptions.get("rdm_330100_00000000000000000000000000")
        with pytest.raises(Forbidden):
            client.approvals.approve("apv_330100_00000000000000000000000000")
    with client_of(city.maker, world.base_url, language="zh-CN") as client:
        draft = msgspec.convert(programme_body(city) | {"title": ""}, models.ProgrammeBody)
        with pytest.raises(Invalid) as invalid:
            client.programmes.create(draft)
        assert [place.pointer for place in invalid.value.errors] == ["/title"]
        assert "请" in str(invalid.value) and "422 validation_failed" in str(invalid.value)
    with VoucherClient(world.base_url) as client, pytest.raises(Unauthenticated):
        next(client.programmes.list())


def test_a_machine_signs_in_by_itself_and_again_where_its_token_counts_no_more(
    world: World, city: City, network: Network
) -> None:
    desk = counter(city)
    machine = desk.machine.id
    digest = hashlib.sha256(b"a secret").digest()
    world.database.transact(
        lambda tx: tx.execute(update(Client).where(Client.id == machine).values(secret_sha256=digest))
    )
    network.faults, network.about = [Answer(401, "unauthenticated")], "/v1/redemptions"
    credentials = ClientCredentials(machine, "a secret")
    with VoucherClient(network.url, credentials=credentials, patience=HURRIED) as client:
        assert client.redemptions.create(bill(desk, 10_000)).bill_total_fen == 10_000
        assert len(list(client.redemptions.list())) == 1
    assert [one.path.partition("?")[0] for one in network.seen] == [
        *("/oauth/token", "/v1/redemptions", "/oauth/token", "/v1/redemptions", "/v1/redemptions")
    ]
    wrong = VoucherClient(network.url, credentials=ClientCredentials(machine, "no"), patience=HURRIED)
    with wrong, pytest.raises(NotSignedIn):
        next(wrong.redemptions.list())


def test_a_list_is_fetched_page_by_page_to_its_end(world: World, network: Network) -> None:
    rows = [
        {
            "id": new_id("org"),
            "kind": OrganisationKind.FIRM,
            "identifier_type": IdentifierType.USCC,
            "identifier_value": uscc_of(5_000_000 + number),
            "name": f"企业{number}",
            "region_code": "330100",
            "profile": {},
            "created_at": LONG_AGO,
            "created_by": "test",
        }
        for number in range(401)
    ]
    world.database.transact(lambda tx: tx.execute(insert(Organisation), rows))
    registry = world.organisation(OrganisationKind.REGISTRY, "330000")
    registrar = world.person(Role.REGISTRAR, registry, "330000")
    with client_of(registrar, network.url) as client:
        firms = client.organisations.list(kind="firm")
        next(firms)
        assert len(network.seen) == 1
        assert 1 + len({firm.id for firm in firms}) == 401
    assert len(network.seen) == 3
