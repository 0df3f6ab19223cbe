"""Rule documents by themselves: their published schema, and a check that saves nothing."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter
from pydantic import Field

from app.api.authentication import CallerDep
from app.api.fields import Instant, Read, Wire
from app.kernel.canonical import sha256_hex
from app.kernel.vocabulary import Role
from app.services.rules.checks import check, needs_of
from app.services.rules.findings import Severity
from app.services.rules.model import Rules
from app.services.rules.schema import document_schema

router = APIRouter(prefix="/v1/rules", tags=["rules"])

OFFICIALS = (Role.MAKER, Role.CHECKER, Role.FINANCE, Role.AUDITOR)


class FindingRead(Read):
    """A contradiction (error) or something to think about (warning), with where it stands in the rules."""

    pointer: str
    code: str
    severity: Severity
    en: str
    zh: str


class NeedRead(Read):
    """A fact that the rules look at, and who states it."""

    fact: str
    type: Literal["words", "number", "date", "yes_no"]
    stated_by: Literal["registry", "official", "claimant"]
    en: str | None
    zh: str | None


class RulesToCheck(Wire):
    """Rules, and when the programme is open where that is known already."""

    rules: Rules
    opens_at: Instant | None = Field(default=None, description="When the programme opens")
    closes_at: Instant | None = Field(default=None, description="When it closes")


class RulesChecked(Read):
    """What is contradictory or doubtful; `rules_sha256` is over the canonical document."""

    findings: tuple[FindingRead, ...]
    rules_sha256: str
    needs: tuple[NeedRead, ...]


@router.get("/schema")
def read_rules_schema() -> dict[str, Any]:
    """The JSON Schema of rule documents (draft 2020-12), every field described in English and Chinese."""
    return document_schema()


@router.post("/check")
def check_rules(body: RulesToCheck, caller: CallerDep) -> RulesChecked:
    """Check rules before they are saved anywhere. Nothing is saved; contradictions come back as findings."""
    caller.require(*OFFICIALS)
    return RulesChecked.model_validate(
        {
            "findings": check(body.rules, opens_at=body.opens_at, closes_at=body.closes_at),
            "rules_sha256": sha256_hex(body.rules.canonical()),
            "needs": needs_of(body.rules),
        }
    )
