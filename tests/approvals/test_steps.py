from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from app.kernel.vocabulary import ApprovalKind, Role
from app.services.approvals.bands import wrong_bands
from app.services.approvals.powers import Power
from app.services.approvals.steps import Band, BandTable, steps_of
from app.services.approvals.words import in_words
from app.services.identity.incompatible import clash, first_clash
from app.services.identity.principals import Grant

AT = datetime(2026, 3, 1, tzinfo=UTC)
C, F = Role.CHECKER, Role.FINANCE
TABLE = BandTable("bnd_x", (Band(10_000, (C,)), Band(50_000, (C, C)), Band(None, (C, C, F))), 30)
HANGZHOU, NINGBO = "330100", "330200"
OWN, OTHER = "org_a", "org_b"


@pytest.mark.parametrize(
    ("amount_fen", "roles"),
    [
        (1, (C,)),
        (10_000, (C,)),
        (10_001, (C, C)),
        (50_000, (C, C)),
        (50_001, (C, C, F)),
        (-50_001, (C, C, F)),
        (-10_000, (C,)),
        (None, (C, C, F)),
    ],
)
def test_the_amount_chooses_the_band_and_no_amount_the_highest(amount_fen: int | None, roles: tuple[Role, ...]) -> None:
    steps = steps_of(TABLE, amount_fen=amount_fen, own_role=C, has_authority=True, at=AT)
    assert (steps.roles, steps.bands_id, steps.expires_at) == (roles, "bnd_x", AT + timedelta(days=30))


@pytest.mark.parametrize(
    ("held", "step", "decides"),
    [
        (Grant(C, HANGZHOU, OWN), (C, HANGZHOU, OWN), True),
        (Grant(C, HANGZHOU, OWN), (C, HANGZHOU, OTHER), False),
        (Grant(C, HANGZHOU, OWN), (C, HANGZHOU, None), True),
        (Grant(C, HANGZHOU, OWN), (C, NINGBO, OWN), False),
        (Grant(C, HANGZHOU, OWN), (F, HANGZHOU, OWN), False),
        (Grant(F, HANGZHOU), (F, HANGZHOU, OWN), True),
        (Grant(F, HANGZHOU), (F, NINGBO, OWN), False),
    ],
)
def test_a_power_decides_steps_of_its_role_region_and_authority(
    held: Grant, step: tuple[Role, str, str | None], *, decides: bool
) -> None:
    assert Power(held).reaches(*step) is decides


def test_without_a_table_an_act_has_its_own_single_step_and_no_end() -> None:
    steps = steps_of(None, amount_fen=10**12, own_role=F, has_authority=True, at=AT)
    assert (steps.roles, steps.bands_id, steps.expires_at) == ((F,), None, None)


def test_an_act_of_the_region_takes_as_many_steps_each_of_its_own_role() -> None:
    assert steps_of(TABLE, amount_fen=60_000, own_role=F, has_authority=False, at=AT).roles == (F, F, F)


@pytest.mark.parametrize(
    ("kind", "bands", "places"),
    [
        (ApprovalKind.ISSUE_BATCH, [Band(100, (C,)), Band(None, (C, F))], []),
        (ApprovalKind.ISSUE_BATCH, [Band(100, (C,))], [("/bands/0/up_to_fen", "last_band_has_no_end")]),
        (
            ApprovalKind.ISSUE_BATCH,
            [Band(100, (C,)), Band(100, (C,)), Band(None, (C,))],
            [("/bands/1/up_to_fen", "not_rising")],
        ),
        (
            ApprovalKind.ISSUE_BATCH,
            [Band(None, (C,)), Band(None, (C,))],
            [("/bands/0/up_to_fen", "not_rising")],
        ),
        (ApprovalKind.ISSUE_BATCH, [Band(9, (C, F)), Band(None, (C,))], [("/bands/1/steps", "fewer_steps")]),
        (ApprovalKind.ISSUE_BATCH, [Band(None, (F, C))], [("/bands/0/steps", "checker_comes_first")]),
        (ApprovalKind.ISSUE_BATCH, [Band(None, (C, Role.MAKER))], [("/bands/0/steps", "not_steps")]),
        (ApprovalKind.ISSUE_BATCH, [Band(None, (C, C, C, F))], [("/bands/0/steps", "not_steps")]),
        (ApprovalKind.ORDER_PAYMENT, [Band(None, (C, C))], [("/bands/0/steps", "finance_is_missing")]),
        (ApprovalKind.ORDER_PAYMENT, [Band(None, (F,))], []),
        (ApprovalKind.GRANT_ROLES, [Band(None, (C,))], [("/kind", "steps_are_fixed")]),
        (ApprovalKind.SET_APPROVAL_BANDS, [Band(None, (C,))], [("/kind", "steps_are_fixed")]),
        (ApprovalKind.APPROPRIATE, [Band(None, (F, F))], [("/authority_id", "act_of_the_region")]),
    ],
)
def test_bands_that_leave_a_gap_or_a_way_round_are_refused(
    kind: ApprovalKind, bands: list[Band], places: list[tuple[str, str]]
) -> None:
    assert [(error.pointer, error.code) for error in wrong_bands(kind, bands, has_authority=True)] == places


@pytest.mark.parametrize(
    ("one", "other", "clashes"),
    [
        (Grant(Role.MAKER, HANGZHOU, OWN), Grant(Role.CHECKER, HANGZHOU, OWN), True),
        (Grant(Role.MAKER, HANGZHOU, OWN), Grant(Role.CHECKER, NINGBO, OWN), True),
        (Grant(Role.MAKER, HANGZHOU, OWN), Grant(Role.CHECKER, HANGZHOU, OTHER), False),
        (Grant(Role.FINANCE, HANGZHOU), Grant(Role.MAKER, HANGZHOU, OWN), True),
        (Grant(Role.FINANCE, HANGZHOU), Grant(Role.CHECKER, NINGBO, OWN), True),
        (Grant(Role.SECURITY_ADMIN, "330000"), Grant(Role.FINANCE, HANGZHOU), True),
        (Grant(Role.SECURITY_ADMIN, "330000"), Grant(Role.AUDIT_ADMIN, "330000"), True),
        (Grant(Role.SECURITY_ADMIN, "330000"), Grant(Role.REGISTRAR, "330000"), False),
        (Grant(Role.SYSTEM_ADMIN, "330000"), Grant(Role.AUDIT_ADMIN, NINGBO), True),
        (Grant(Role.AUDIT_ADMIN, NINGBO), Grant(Role.AUDITOR, HANGZHOU), True),
        (Grant(Role.SYSTEM_ADMIN, NINGBO), Grant(Role.FIRM, HANGZHOU), True),
        (Grant(Role.SECURITY_ADMIN, NINGBO), Grant(Role.PROVIDER, HANGZHOU), True),
        (Grant(Role.SYSTEM_ADMIN, "330000"), Grant(Role.REGISTRAR, "330000"), False),
        (Grant(Role.AUDITOR, "330000"), Grant(Role.CHECKER, HANGZHOU, OWN), True),
        (Grant(Role.AUDITOR, NINGBO), Grant(Role.CHECKER, HANGZHOU, OWN), False),
        (Grant(Role.FIRM, HANGZHOU), Grant(Role.CHECKER, HANGZHOU, OWN), True),
        (Grant(Role.FIRM, HANGZHOU), Grant(Role.PROVIDER, HANGZHOU), False),
        (Grant(Role.MAKER, HANGZHOU, OWN), Grant(Role.MAKER, NINGBO, OTHER), False),
    ],
)
def test_which_roles_do_not_go_together(one: Grant, other: Grant, *, clashes: bool) -> None:
    assert clash(one, other) is clashes
    assert clash(other, one) is clashes
    assert first_clash([one, other], []) == ((one, other) if clashes else None)


def test_an_effect_from_before_the_sentences_is_told_plainly() -> None:
    told = in_words("issue_batch", subject_id="bat_1", amount_fen=123_456, command={}, effect={})
    assert told.zh == "办理 issue_batch：bat_1，金额 1,234.56 元。"
    assert told.en == "Do issue_batch on bat_1, 1,234.56 yuan."
