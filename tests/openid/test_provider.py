"""One provider, as the service sees it: what an ID token must be, what is remembered, and what happens when it is away.

A real provider answers; whoever sits between signs anew with a key that the metadata names, or with another.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
import warnings
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from app.kernel.clock import utc_now
from app.openid import Attempt, NotProven, Provider, ProviderAway, ProviderSettings, Subject
from app.openid.calls import ask
from app.outbound import Outbound, networks
from tests.openid.between import PATIENCE_S, Between

T = TypeVar("T")
LOOPBACK = networks("127.0.0.0/8")
RSA_KEY = rsa.generate_private_key(65_537, 2048)
OTHER_RSA_KEY = rsa.generate_private_key(65_537, 2048)
SHORT_RSA_KEY = rsa.generate_private_key(65_537, 1024)  # noqa: S505 - on purpose
P256 = ec.generate_private_key(ec.SECP256R1())
ED25519 = ed25519.Ed25519PrivateKey.generate()
PUBLIC_PEM = RSA_KEY.public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)


def jwk_of(private: Any, **more: str) -> dict[str, Any]:
    public = private.public_key()
    makers = {rsa.RSAPublicKey: RSAAlgorithm, ec.EllipticCurvePublicKey: ECAlgorithm}
    maker = next((made for kind, made in makers.items() if isinstance(public, kind)), OKPAlgorithm)
    return dict(maker.to_jwk(public, as_dict=True)) | more  # type: ignore[attr-defined]


@dataclass
class Try:
    """One provider, freshly known, and whoever changes what it signs."""

    between: Between
    folder: Path
    settings: dict[str, Any] = field(default_factory=dict)
    now: float = 0.0
    keys: list[dict[str, Any]] = field(default_factory=lambda: [jwk_of(RSA_KEY, kid="k1", use="sig", alg="RS256")])

    def signs(
        self,
        *,
        key: Any = RSA_KEY,
        algorithm: str = "RS256",
        header: dict[str, Any] | None = None,
        **changes: Any,
    ) -> None:
        """Let it say other things, signed with a key of ours; what is None is left out."""

        def anew(document: dict[str, Any]) -> dict[str, Any]:
            claims = jwt.decode(document["id_token"], options={"verify_signature": False})
            told = {name: value for name, value in (claims | changes).items() if value is not None}
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # one of the keys is short on purpose
                made = jwt.encode(told, key, algorithm, {"kid": "k1"} | (header or {}))
            return document | {"id_token": made}

        self.between.token = anew
        self.between.jwks = lambda _: {"keys": self.keys}

    def sends(self, token: Callable[[dict[str, Any]], str]) -> None:
        """Let it send a token that no library would make; the claims are those that it had."""
        self.between.token = lambda document: (
            document | {"id_token": token(jwt.decode(document["id_token"], options={"verify_signature": False}))}
        )
        self.between.jwks = lambda _: {"keys": self.keys}

    def provider(self) -> Provider:
        (self.folder / "secret").write_text("secret")
        given = {
            "id": "p",
            "name_zh": "平台",
            "name_en": "Platform",
            "issuer": self.between.issuer,
            "client_id": "us",
            "client_secret_file": str(self.folder / "secret"),
        }
        settings = ProviderSettings.model_validate(given | self.settings)
        return Provider(settings, redirect_uri="http://127.0.0.1:1/back", networks=LOOPBACK, timer=lambda: self.now)

    async def signs_in(self, provider: Provider, **answer: str) -> Subject:
        attempt = Attempt.new()
        address = await provider.authorization_url(attempt, language="en")
        return await provider.signed_in(attempt, await asyncio.to_thread(signed_in_there, address) | answer)

    def once(self, **answer: str) -> Subject:
        return run(self.signs_in(self.provider(), **answer))


def signed_in_there(address: str) -> dict[str, str]:
    """The fields with which the provider sends a browser back."""
    back = httpx.post(address, data={"sub": "alice"}, trust_env=False, timeout=PATIENCE_S).headers["location"]
    return {name: values[0] for name, values in parse_qs(urlsplit(back).query).items()}


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


@pytest.fixture
def one(provider: str, tmp_path: Path) -> Iterator[Try]:
    with Between(provider) as between:
        yield Try(between, tmp_path)


def b64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def bare(header: dict[str, Any], claims: dict[str, Any], secret: bytes | None = None) -> str:
    signed = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(claims).encode())}"
    return f"{signed}.{b64(hmac.new(secret, signed.encode(), hashlib.sha256).digest()) if secret else ''}"


def test_no_two_tries_share_a_state_a_nonce_or_a_verifier() -> None:
    """And none of the three tells another: each goes where the others do not."""
    tries = Attempt.new(), Attempt.new()
    told = [value for one in tries for value in (one.secret, one.state, one.nonce, one.code_verifier)]
    assert len(set(told)) == 8
    assert min(map(len, told)) == 43, "256 bits each"
    again = Attempt(tries[0].secret)
    assert (again.state, again.nonce, again.code_verifier) == (tries[0].state, tries[0].nonce, tries[0].code_verifier)
    assert tries[0].is_answered_by(tries[0].state) and not tries[0].is_answered_by(tries[1].state)


def test_what_the_provider_signs_is_believed(one: Try) -> None:
    subject = one.once()
    assert (subject.issuer, subject.subject, subject.second_factor) == (one.between.issuer, "alice", False)
    assert abs((utc_now() - subject.signed_in_at).total_seconds()) < 60


@pytest.mark.parametrize(
    ("key", "algorithm"), [(RSA_KEY, "RS256"), (RSA_KEY, "PS256"), (P256, "ES256"), (ED25519, "EdDSA")]
)
def test_it_may_sign_with_any_algorithm_of_the_list(one: Try, key: Any, algorithm: str) -> None:
    one.keys = [jwk_of(key, kid="k1")]
    one.signs(key=key, algorithm=algorithm, at_hash=None)  # whose hash would be the algorithm's
    assert one.once().subject == "alice"


LONG_AGO = int(time.time()) - 3600
WRONG: dict[str, dict[str, Any]] = {
    "another key under the same name": {"key": OTHER_RSA_KEY},
    "a key that is not published": {"header": {"kid": "k2"}},
    "an algorithm that is not on the list": {"algorithm": "RS512"},
    "an unknown critical header": {"header": {"crit": ["x"], "x": 1}},
    "another issuer": {"iss": "https://evil.example"},
    "no issuer": {"iss": None},
    "another audience": {"aud": "somebody-else"},
    "another audience in a list": {"aud": ["somebody-else"]},
    "several audiences without azp": {"aud": ["us", "somebody-else"]},
    "several audiences, azp another": {"aud": ["us", "somebody-else"], "azp": "somebody-else"},
    "azp another": {"azp": "somebody-else"},
    "no audience": {"aud": None},
    "an audience of another type": {"aud": {"us": 1}},
    "run out": {"exp": LONG_AGO + 10, "iat": LONG_AGO},
    "no end": {"exp": None},
    "an end that is text": {"exp": "2126-01-01"},
    "an end beyond all time": {"exp": 1e300},
    "made long ago": {"iat": LONG_AGO},
    "made tomorrow": {"iat": int(time.time()) + 86_400},
    "not yet good": {"nbf": int(time.time()) + 86_400},
    "no iat": {"iat": None},
    "another nonce": {"nonce": "x" * 43},
    "no nonce": {"nonce": None},
    "a nonce of another type": {"nonce": 7},
    "no subject": {"sub": None},
    "an empty subject": {"sub": ""},
    "a number as subject": {"sub": 7},
    "a subject without end": {"sub": "x" * 300},
    "another access token's hash": {"at_hash": "x" * 22},
    "auth_time tomorrow": {"auth_time": int(time.time()) + 86_400},
    "auth_time in words": {"auth_time": "yesterday"},
}


@pytest.mark.parametrize("case", WRONG)
def test_an_id_token_that_is_wrong_lets_nobody_in(one: Try, case: str) -> None:
    one.signs(**WRONG[case])
    with pytest.raises(NotProven):
        one.once()


def test_what_is_not_signed_or_signed_with_a_public_key_lets_nobody_in(one: Try) -> None:
    forged: list[Callable[[dict[str, Any]], str]] = [
        lambda claims: bare({"alg": "none", "kid": "k1"}, claims),
        lambda claims: bare({"alg": "None", "kid": "k1"}, claims),
        lambda claims: bare({"alg": "HS256", "kid": "k1"}, claims, PUBLIC_PEM),
        lambda claims: bare({"alg": "HS256"}, claims, b"secret"),
        lambda claims: bare({"kid": "k1"}, claims, b"secret"),
        lambda claims: bare({"alg": ["RS256"], "kid": "k1"}, claims, b"secret"),
        lambda claims: jwt.encode(claims, OTHER_RSA_KEY, "RS256", {"jwk": jwk_of(OTHER_RSA_KEY), "kid": "k1"}),
        lambda _: "not a token",
        lambda _: "a.b.c",
        lambda _: "x" * 20_000,
    ]
    for token in forged:
        one.sends(token)
        with pytest.raises(NotProven):
            one.once()


def test_a_public_key_published_as_a_shared_one_is_no_key(one: Try) -> None:
    one.keys = [{"kty": "oct", "kid": "k1", "k": b64(b"secret")}]
    one.sends(lambda claims: bare({"alg": "HS256", "kid": "k1"}, claims, b"secret"))
    with pytest.raises(NotProven):
        one.once()


def test_a_key_is_good_for_what_it_is_published_for(one: Try) -> None:
    for jwk, key, algorithm in (
        (jwk_of(SHORT_RSA_KEY, kid="k1"), SHORT_RSA_KEY, "RS256"),
        (jwk_of(RSA_KEY, kid="k1", use="enc"), RSA_KEY, "RS256"),
        (jwk_of(RSA_KEY, kid="k1", alg="PS256"), RSA_KEY, "RS256"),
    ):
        one.keys = [jwk]
        one.signs(key=key, algorithm=algorithm)
        with pytest.raises(NotProven):
            one.once()


def test_two_keys_of_one_name_are_none(one: Try) -> None:
    one.keys = [jwk_of(RSA_KEY, kid="k1"), jwk_of(OTHER_RSA_KEY, kid="k1")]
    one.signs()
    with pytest.raises(NotProven):
        one.once()


def test_the_second_factor_is_the_providers_word_where_the_operator_named_it(one: Try) -> None:
    one.settings = {"second_factor_acr": ["urn:two"], "second_factor_amr": ["otp"]}
    for said, expected in (
        ({"acr": "urn:two"}, True),
        ({"acr": "urn:one"}, False),
        ({"amr": ["pwd", "otp"]}, True),
        ({"amr": ["pwd"]}, False),
        ({"amr": "otp"}, None),
        ({"acr": ["urn:two"]}, False),
        ({}, False),
    ):
        one.signs(**said)
        if expected is None:
            with pytest.raises(NotProven):
                one.once()
        else:
            assert one.once().second_factor is expected, said


def test_how_long_ago_somebody_signed_in_there_is_asked_and_checked(one: Try) -> None:
    one.settings = {"max_age_s": 300, "acr_values": ["urn:two", "urn:one"]}
    address = run(one.provider().authorization_url(Attempt.new(), language="zh"))
    asked = parse_qs(urlsplit(address).query)
    assert (asked["max_age"], asked["acr_values"]) == (["300"], ["urn:two urn:one"])
    for ago, is_let_in in ((10, True), (3600, False), (None, False)):
        one.signs(auth_time=None if ago is None else int(time.time()) - ago)
        if is_let_in:
            assert abs((utc_now() - one.once().signed_in_at).total_seconds() - 10) < 60
        else:
            with pytest.raises(NotProven):
                one.once()


def test_a_provider_that_names_itself_must_do_so_in_each_answer(one: Try) -> None:
    """RFC 9207."""
    assert one.once(iss=one.between.issuer).subject == "alice"
    one.between.metadata = lambda document: document | {"authorization_response_iss_parameter_supported": True}
    assert one.once(iss=one.between.issuer).subject == "alice"
    with pytest.raises(NotProven):
        one.once()
    with pytest.raises(NotProven):
        one.once(iss="https://evil.example")


def test_keys_are_read_anew_for_a_new_name_and_not_for_each_try(one: Try) -> None:
    """Rotation, without an outage and without letting anybody make us ask all the time."""
    one.signs()

    async def work() -> None:
        provider = one.provider()
        await one.signs_in(provider)
        await one.signs_in(provider)
        assert one.between.asked.count("/jwks") == 1
        assert one.between.asked.count("/.well-known/openid-configuration") == 1
        one.keys = [jwk_of(OTHER_RSA_KEY, kid="k2")]
        one.signs(key=OTHER_RSA_KEY, header={"kid": "k2"})
        with pytest.raises(NotProven):
            await one.signs_in(provider)
        assert one.between.asked.count("/jwks") == 1
        one.now += 10
        await one.signs_in(provider)
        assert one.between.asked.count("/jwks") == 2
        one.signs()
        with pytest.raises(NotProven):
            await one.signs_in(provider)  # the old key is no more

    run(work())


def test_a_provider_that_cannot_be_reached_is_not_asked_by_everybody(one: Try) -> None:
    one.between.hangs_up = True

    async def work() -> None:
        provider = one.provider()
        for _ in range(3):
            with pytest.raises(ProviderAway):
                await provider.authorization_url(Attempt.new(), language="en")
        assert len(one.between.asked) == 1
        one.between.hangs_up = False
        with pytest.raises(ProviderAway):
            await one.signs_in(provider)
        one.now += 5
        assert (await one.signs_in(provider)).subject == "alice"

    run(work())


@pytest.mark.parametrize("content", [b'{"error": "server_error"}', b"<h1>502 Bad Gateway</h1>"])
def test_one_error_keeps_nobody_out_and_three_in_a_row_do_for_a_moment(one: Try, content: bytes) -> None:
    """Whether its own words or those of a proxy before it."""
    one.between.said = content

    async def refused(provider: Provider) -> None:
        one.between.status = 502
        with pytest.raises(ProviderAway):
            await provider.authorization_url(Attempt.new(), language="en")
        one.between.status = None

    async def work() -> None:
        provider = one.provider()
        await refused(provider)
        await refused(provider)
        assert (await one.signs_in(provider)).subject == "alice"
        provider = one.provider()
        asked = len(one.between.asked)
        for _ in range(5):
            await refused(provider)
        assert len(one.between.asked) - asked == 3
        one.now += 5
        await refused(provider)  # and it is left alone again
        with pytest.raises(ProviderAway):
            await one.signs_in(provider)
        assert len(one.between.asked) - asked == 4
        one.now += 5
        assert (await one.signs_in(provider)).subject == "alice"

    run(work())


def test_what_the_token_endpoint_stumbles_over_keeps_nobody_else_out(one: Try) -> None:
    """Anybody may send it a code: the first visitors' nonsense must not hold up the keys that the next ones need."""

    async def work() -> None:
        provider = one.provider()
        attempt = Attempt.new()
        await provider.authorization_url(attempt, language="en")
        for status in (500, 503, 429, 502):
            one.between.status = status
            with pytest.raises(ProviderAway):
                await provider.signed_in(attempt, {"state": attempt.state, "code": "nonsense"})
        one.between.status = None
        assert (await one.signs_in(provider)).subject == "alice"

    run(work())


def test_an_answer_byte_by_byte_is_not_waited_for(one: Try) -> None:
    one.between.drips = True

    async def work() -> None:
        outbound = Outbound([urlsplit(one.between.issuer).netloc], allowed=LOOPBACK, whole_s=0.5)
        began = time.monotonic()
        with pytest.raises(ProviderAway):
            await ask(outbound, "GET", f"{one.between.issuer}/jwks")
        assert 0.4 < time.monotonic() - began < 3

    run(work())


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": "https://evil.example/token"},
        {"token_endpoint": "http://169.254.169.254/latest"},
        {"jwks_uri": "http://127.0.0.1:1/jwks"},
        {"jwks_uri": "file:///etc/passwd"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"end_session_endpoint": "https://evil.example/bye"},
        {"end_session_endpoint": 7},
        {"code_challenge_methods_supported": ["plain"]},
        {"token_endpoint": None},
        {"jwks_uri": ["x"]},
        {"padding": "x" * 300_000},
    ],
)
def test_metadata_that_leads_elsewhere_is_not_followed(one: Try, changes: dict[str, Any]) -> None:
    one.between.metadata = lambda document: document | changes
    with pytest.raises(ProviderAway):
        one.once()
    assert one.between.asked == ["/.well-known/openid-configuration"]


def test_a_machine_key_signs_for_us_where_there_is_no_secret(one: Try) -> None:
    """`private_key_jwt` (RFC 7523): this provider takes any client, so what was sent is looked at here."""
    keys: list[tuple[Any, str]] = [(ED25519, "EdDSA"), (P256, "ES256"), (RSA_KEY, "PS256")]
    for number, (key, algorithm) in enumerate(keys):
        file = one.folder / f"key{number}.pem"
        file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        one.settings = {"client_secret_file": None, "private_key_file": str(file), "private_key_id": "ours"}
        with suppress(NotProven):
            one.once()
        form = one.between.forms[-1]
        assertion = form["client_assertion"][0]
        assert one.between.authorizations[-1] == ""
        assert form["client_assertion_type"] == ["urn:ietf:params:oauth:client-assertion-type:jwt-bearer"]
        claims = jwt.decode(assertion, key.public_key(), algorithms=[algorithm], audience=one.between.issuer)
        assert (claims["iss"], claims["sub"], claims["exp"] - claims["iat"]) == ("us", "us", 60)
        assert jwt.get_unverified_header(assertion)["kid"] == "ours"
