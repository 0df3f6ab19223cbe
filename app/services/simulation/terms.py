"""What a programme brings into a simulation: its rule versions, and the money it was appropriated. Only read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import Role
from app.services.budgets.execution import budget_of, total_of
from app.services.identity.principals import Caller
from app.services.programmes.programmes import RuleVersionRecord, list_rule_versions, read_programme


@dataclass(frozen=True, slots=True)
class SimulationTerms:
    """A programme's versions by id, drafts too; `appropriated_fen` over all its pools, 0 where there are none."""

    versions: Mapping[str, RuleVersionRecord]
    appropriated_fen: int


def terms_for_simulation(tx: Connection, *, caller: Caller, programme_id: str) -> SimulationTerms:
    """The terms, for a maker of the programme.

    Raises `forbidden` where the caller is no maker, `not_found` where the programme is not his.
    """
    caller.require(Role.MAKER)
    programme = read_programme(tx, caller=caller, programme_id=programme_id)
    if not caller.holds_in(Role.MAKER, programme.region_code, programme.authority_id):
        raise AppError(Code.NOT_FOUND, what="programme")
    return SimulationTerms(
        versions={version.id: version for version in list_rule_versions(tx, caller=caller, programme_id=programme.id)},
        appropriated_fen=total_of(budget_of(tx, caller=caller, programme_id=programme.id)).appropriation_fen,
    )
