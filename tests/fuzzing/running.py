"""One run of Schemathesis over the published contract, by one who asks, against a running service."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any

import schemathesis
from hypothesis import strategies as st
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import Failure
from schemathesis.engine import events, from_schema
from schemathesis.hooks import GLOBAL_HOOK_DISPATCHER

from app.main import openapi_document
from tests.fuzzing.city import ASKERS
from tests.fuzzing.exclusions import reason_for
from tests.fuzzing.promises import CHECKS
from tests.fuzzing.seeding import ID, SEEDED_KEY, Seed, seeded, seeds_of, with_real_ids
from tests.matrix.tenants import Tenant

PHASES = ("examples", "coverage", "fuzzing", "stateful")
TOKEN_S = 60
"""So long one token is used: some acts ask that its bearer proved himself a short while ago."""
SPENDS_TOKENS = frozenset(
    {"DELETE /v1/personal-tokens/current", "DELETE /v1/personal-tokens/all", "POST /oauth/revoke"}
)
_keys = count(1)


@dataclass(frozen=True)
class Finding:
    """A check that did not hold, the first time that it did not."""

    check: str
    operation: str
    told: str
    curl: str

    def __str__(self) -> str:
        return f"{self.check}: {self.operation}\n{self.told}\n{self.curl}"


@dataclass
class Outcome:
    """What a run asked, and what came of it."""

    asker: str
    cases: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    by_operation: dict[str, Counter[int]] = field(default_factory=dict)
    findings: dict[tuple[str, str, str], Finding] = field(default_factory=dict)
    excluded: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def succeeded(self) -> set[str]:
        """The operations that answered a success at least once."""
        return {name for name, found in self.by_operation.items() if any(status < 400 for status in found)}


def fuzz(
    tenant: Tenant,
    asker: str,
    *,
    examples: int,
    seed: int,
    phases: Iterable[str] = PHASES,
    operations: Iterable[str] = (),
    steps: int = 6,
) -> Outcome:
    """Ask every operation (or these) in these phases, and hold each answer against the contract."""
    began = time.monotonic()
    seeds = seeds_of(tenant)
    schema: Any = schemathesis.openapi.from_dict(
        seeded(openapi_document(), seeds), config=_config(tenant, examples, seed, set(phases), steps)
    )
    wanted = set(operations)
    if wanted:
        schema = schema.include(lambda ctx: ctx.operation.label in wanted)
    outcome = Outcome(asker)
    with _Asking(tenant, asker, seeds, seed).installed(schema):
        for event in from_schema(schema).execute():
            _keep(outcome, event)
    outcome.seconds = time.monotonic() - began
    return outcome


def _config(tenant: Tenant, examples: int, seed: int, phases: set[str], steps: int) -> SchemathesisConfig:
    def phase(name: str, **more: Any) -> dict[str, Any]:
        return {"enabled": name in phases, **more}

    return SchemathesisConfig.from_dict(
        {
            "seed": seed,
            "suppress-health-check": ["all"],  # a form that is hard to make up is no fault of the service
            "base-url": tenant.world.base_url,
            "request-timeout": 60,
            "continue-on-failure": True,
            "output": {"sanitization": {"enabled": False}},
            "generation": {"max-examples": examples, "no-shrink": True, "database": "none", "deterministic": True},
            "checks": CHECKS,
            "phases": {
                "examples": phase("examples", **{"fill-missing": True, "extra-data-sources": {"responses": False}}),
                "coverage": phase("coverage"),
                "fuzzing": phase("fuzzing"),
                "stateful": phase("stateful", **{"max-steps": steps}),
            },
        }
    )


class _Asking:
    """What is put into a request besides what the fuzzer makes up: who asks, a key of its own, and real ids."""

    def __init__(self, tenant: Tenant, asker: str, seeds: Mapping[str, Seed], seed: int) -> None:
        self._tenant, self._seeds, self._sign_in = tenant, seeds, ASKERS[asker]
        self._real = {name: value for name, value in tenant.ids.items() if isinstance(value, str)}
        self._random, self._token, self._until = Random(seed), "", 0.0

    @contextmanager
    def installed(self, schema: Any) -> Iterator[None]:
        """Take part in every request of this schema."""
        asking = self

        if self._sign_in:

            class Bearer:
                def get(self, case: Any, _: Any) -> str:
                    return asking.token(case.operation.label)

                def set(self, case: Any, data: str, _: Any) -> None:
                    case.headers["Authorization"] = f"Bearer {data}"

            schema.auth(refresh_interval=None)(Bearer)

        def before_generate_case(context: Any, strategy: Any) -> Any:
            return asking.with_seeds(strategy)

        def before_call(context: Any, case: Any, kwargs: Any) -> None:
            asking.give_key(case)

        schema.hook(before_generate_case)
        schemathesis.hook(before_call)  # of all schemas: there is none of one
        try:
            yield
        finally:
            GLOBAL_HOOK_DISPATCHER.unregister(before_call)

    def token(self, label: str) -> str:
        """A token that holds; one of its own for what would end it."""
        assert self._sign_in
        if label in SPENDS_TOKENS or label.endswith(("/disable", "/revoke")):
            return self._sign_in(self._tenant)
        if time.monotonic() > self._until:
            self._token, self._until = self._sign_in(self._tenant), time.monotonic() + TOKEN_S
        return self._token

    def with_seeds(self, strategy: Any) -> Any:
        """Made-up requests of which three in four ask for the tenant's own things."""

        @st.composite
        def case_of(draw: Any) -> Any:
            case = draw(strategy)
            if draw(st.integers(0, 3)):
                self._make_real(case)
            return case

        return case_of()

    def _make_real(self, case: Any) -> None:
        seed = self._seeds.get(case.operation.label)
        if seed is None:
            return
        for name, value in seed.path.items():
            if ID.fullmatch(str(case.path_parameters.get(name, ""))):
                case.path_parameters[name] = value
        real = self._real | dict(seed.query)
        if case.query:
            case.query = with_real_ids(case.query, real)
        if isinstance(case.body, dict | list):
            case.body = with_real_ids(case.body, real)
        if isinstance(case.body, dict) and isinstance(seed.body, dict) and isinstance(case.body.get("file"), bytes):
            case.body["file"] = seed.body["file"]

    def give_key(self, case: Any) -> None:
        """A new key for whatever has a right one, but one in ten comes again."""
        key = case.headers.get("Idempotency-Key")
        if isinstance(key, str) and (key == SEEDED_KEY or (key.isascii() and key.isprintable() and 0 < len(key) < 256)):
            number = self._random.randint(1, 5) if self._random.random() < 0.1 else f"n{next(_keys)}"
            case.headers["Idempotency-Key"] = f"fuzz-{number}"


def _keep(outcome: Outcome, event: events.EngineEvent) -> None:
    if isinstance(event, events.FatalError):
        raise event.exception
    if isinstance(event, events.NonFatalError):
        _found(outcome, "engine", event.label, f"{event.phase}: {event.value!r}"[:2000], "")
    if not isinstance(event, events.ScenarioFinished):
        return
    recorder = event.recorder
    outcome.cases[event.phase.value] += len(recorder.cases)
    for case_id, interaction in recorder.interactions.items():
        if interaction.response is not None and case_id in recorder.cases:
            status = interaction.response.status_code
            outcome.statuses[status] += 1
            label = recorder.cases[case_id].value.operation.label
            outcome.by_operation.setdefault(label, Counter())[status] += 1
    for case_id, checks in recorder.checks.items():
        for check in checks:
            if check.failure_info is not None:
                case = recorder.cases[case_id].value
                _judge(outcome, check.name, check.failure_info.failure, check.failure_info.code_sample, case)


def _judge(outcome: Outcome, check: str, failure: Failure, curl: str | None, case: Any) -> None:
    reason = reason_for(check, failure, case)
    if reason:
        outcome.excluded[reason] += 1
        return
    _found(outcome, check, case.operation.label, f"{failure.title}: {failure.message}"[:2000], (curl or "")[:3000])


def _found(outcome: Outcome, check: str, operation: str, told: str, curl: str) -> None:
    outcome.findings.setdefault((check, operation, told.splitlines()[0]), Finding(check, operation, told, curl))
