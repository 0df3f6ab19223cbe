"""Programmes: their rules, the providers admitted to them, their money."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.client.models import (
    AdmissionBody,
    AdmissionProposed,
    AdmissionRead,
    AppropriationBody,
    ApprovalRead,
    CloseBody,
    ExecutionRead,
    ProgrammeBody,
    ProgrammeRead,
    ProgrammeSubmitted,
    QuotaBody,
    QuoteBody,
    QuoteRead,
    RulesChecked,
    RulesToCheck,
    RuleVersionBody,
    RuleVersionDifference,
    RuleVersionRead,
    RuleVersionSubmitted,
    RuleVersionWritten,
)
from app.client.wire import Wire


class Programmes:
    """`/v1/programmes`."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.rule_versions = RuleVersions(wire)
        self.providers = Admissions(wire)

    def list(self, *, region_code: str | None = None) -> Iterator[ProgrammeRead]:
        """Programmes within reach, newest first."""
        return self._wire.each("/v1/programmes", ProgrammeRead, region_code=region_code)

    def get(self, programme_id: str) -> ProgrammeRead:
        """One programme."""
        return self._wire.fetch(f"/v1/programmes/{programme_id}", ProgrammeRead)

    def create(self, body: ProgrammeBody) -> ProgrammeRead:
        """Write a draft down."""
        return self._wire.change("POST", "/v1/programmes", ProgrammeRead, body)

    def change(self, programme_id: str, body: ProgrammeBody, *, version: int) -> ProgrammeRead:
        """Write a draft anew that was read as this version. Raises Stale where somebody else was faster."""
        headers = {"If-Match": f'"{version}"'}
        return self._wire.change("PATCH", f"/v1/programmes/{programme_id}", ProgrammeRead, body, headers=headers)

    def submit(self, programme_id: str) -> ProgrammeSubmitted:
        """Ask a checker to publish a draft."""
        return self._wire.change("POST", f"/v1/programmes/{programme_id}/submit", ProgrammeSubmitted)

    def pause(self, programme_id: str) -> ProgrammeRead:
        """Let nothing be drawn for a while."""
        return self._wire.change("POST", f"/v1/programmes/{programme_id}/pause", ProgrammeRead)

    def resume(self, programme_id: str) -> ApprovalRead:
        """Ask a checker to end a pause."""
        return self._wire.change("POST", f"/v1/programmes/{programme_id}/resume", ApprovalRead)

    def close(self, programme_id: str, body: CloseBody, *, key: str | None = None) -> ApprovalRead:
        """Ask a checker to close it for good; what is out is used and paid as before."""
        return self._wire.act(f"/v1/programmes/{programme_id}/close", ApprovalRead, body, key=key)

    def budget(self, programme_id: str) -> ExecutionRead:
        """Where the money of each of its pools stands."""
        return self._wire.fetch(f"/v1/programmes/{programme_id}/budget", ExecutionRead)

    def appropriate(self, programme_id: str, body: AppropriationBody, *, key: str | None = None) -> ApprovalRead:
        """Ask another person of finance to grant money, or to take some back."""
        return self._wire.act(f"/v1/programmes/{programme_id}/appropriations", ApprovalRead, body, key=key)

    def move_quota(self, programme_id: str, body: QuotaBody, *, key: str | None = None) -> ApprovalRead:
        """Ask finance to share part of the pool out to a county, or to take it back."""
        return self._wire.act(f"/v1/programmes/{programme_id}/quotas", ApprovalRead, body, key=key)

    def quote(self, programme_id: str, body: QuoteBody) -> QuoteRead:
        """What a bill would get now, step by step."""
        return self._wire.ask(f"/v1/programmes/{programme_id}/quotes", QuoteRead, body)


class RuleVersions:
    """`/v1/programmes/{id}/rule-versions`, and rules by themselves."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def list(self, programme_id: str) -> list[RuleVersionRead]:
        """All versions of a programme's rules."""
        return self._wire.fetch(f"/v1/programmes/{programme_id}/rule-versions", list[RuleVersionRead])

    def get(self, programme_id: str, version: int) -> RuleVersionRead:
        """One version, by its number."""
        return self._wire.fetch(f"/v1/programmes/{programme_id}/rule-versions/{version}", RuleVersionRead)

    def write(self, programme_id: str, body: RuleVersionBody, *, dry_run: bool | None = None) -> RuleVersionWritten:
        """Write a draft down, or only say what it would change."""
        path = f"/v1/programmes/{programme_id}/rule-versions"
        return self._wire.change("POST", path, RuleVersionWritten, body, query={"dry_run": dry_run})

    def rewrite(self, programme_id: str, version: int, body: RuleVersionBody) -> RuleVersionWritten:
        """Write a draft anew."""
        path = f"/v1/programmes/{programme_id}/rule-versions/{version}"
        return self._wire.change("PUT", path, RuleVersionWritten, body)

    def submit(self, programme_id: str, version: int) -> RuleVersionSubmitted:
        """Ask a checker to publish a draft."""
        path = f"/v1/programmes/{programme_id}/rule-versions/{version}/submit"
        return self._wire.change("POST", path, RuleVersionSubmitted)

    def compare(self, programme_id: str, before: int, after: int) -> RuleVersionDifference:
        """Every field in which two versions differ."""
        path = f"/v1/programmes/{programme_id}/rule-versions/{before}/diff/{after}"
        return self._wire.fetch(path, RuleVersionDifference)

    def check(self, body: RulesToCheck) -> RulesChecked:
        """What is contradictory or doubtful in rules that belong to no programme yet."""
        return self._wire.ask("/v1/rules/check", RulesChecked, body)

    def schema(self) -> dict[str, Any]:
        """The JSON Schema of a rule document."""
        return self._wire.fetch("/v1/rules/schema", dict[str, Any])


class Admissions:
    """`/v1/programmes/{id}/providers`."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def list(self, programme_id: str) -> list[AdmissionRead]:
        """The providers of a programme."""
        return self._wire.fetch(f"/v1/programmes/{programme_id}/providers", list[AdmissionRead])

    def get(self, programme_id: str, provider_id: str) -> AdmissionRead:
        """A provider's place in a programme."""
        return self._wire.fetch(f"/v1/programmes/{programme_id}/providers/{provider_id}", AdmissionRead)

    def admit(self, programme_id: str, provider_id: str, body: AdmissionBody) -> AdmissionProposed:
        """Ask a checker to admit a provider for these categories, in place of those before."""
        path = f"/v1/programmes/{programme_id}/providers/{provider_id}"
        return self._wire.change("PUT", path, AdmissionProposed, body)

    def change(
        self, programme_id: str, provider_id: str, step: str, body: CloseBody, *, key: str | None = None
    ) -> ApprovalRead:
        """Ask a checker to `suspend` a provider, to `resume` it, or to `delist` it."""
        path = f"/v1/programmes/{programme_id}/providers/{provider_id}/{step}"
        return self._wire.act(path, ApprovalRead, body, key=key)
