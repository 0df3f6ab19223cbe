"""Encrypting what there is: from clear to encrypted after an upgrade, and from one key to the next."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from alembic import command as alembic
from sqlalchemy import create_engine, text
from sqlalchemy.exc import ProgrammingError

import migrations
from app.cli.encrypting import encrypt_what_is_clear
from app.database import Database
from app.embedded import databases
from app.embedded.databases import Urls
from app.embedded.server import Server
from app.kernel.encrypted_fields import FieldPlace, FieldUnreadable
from app.reach import EVERYWHERE
from app.services.encrypted_fields.columns import ACCOUNT_NO
from app.services.encrypted_fields.keys import FOLDER, FieldKeys, add_field_key, names_in
from app.services.encrypted_fields.rotation import encrypt_anew, left_to_do, missing_keys, standings
from tests.encrypted_fields.contacts import contacts, put

NUMBERS = ["6222021099076544321", "12345678", "1202021009901234567"]
_ORGANISATION = "org_{0:026d}"
BEFORE = (
    *(
        "INSERT INTO organisations (id, kind, identifier_type, identifier_value, name, region_code, version,"
        f" profile, created_at, created_by) VALUES ('{_ORGANISATION.format(number)}', '{kind}', 'maker', 'm{number}',"
        f" 'n{number}', '330100', 1,"
        " '{}', now(), 'test')"
        for number, kind in ((1, "authority"), (2, "provider"))
    ),
    *(
        "INSERT INTO payee_accounts (region_code, id, authority_id, payee_id, account_name, bank_name, cnaps,"
        f" account_no, status, proposed_at, proposed_by, decided_at, decided_by, replaced_at)"
        f" VALUES ('330100', 'pac_{place}',"
        f" '{_ORGANISATION.format(1)}', '{_ORGANISATION.format(2)}', 'n2', 'bank', '102331000013', '{number}',"
        f" '{status}',"
        f" now(), 'a', now(), 'b', {'now()' if status == 'replaced' else 'NULL'})"
        for place, (number, status) in enumerate(zip(NUMBERS, ("listed", "replaced", "rejected"), strict=True))
    ),
)
"""What a database held before its values were encrypted."""

CHECKS = ("ck_objection_contacts_encrypted", "ck_objection_contacts_contact_found")

BELONGS = "fk_objection_contacts_region_code_objection_id"


@pytest.fixture
def owner(urls: Urls) -> Any:
    database = Database(urls.owner_url, pool_size=2)
    yield database
    database.dispose()


def lay_in_clear(owner: Database, count: int) -> None:
    """As an older version left them: before the migration that holds it to be encrypted."""

    def work(tx: Any) -> None:
        tx.execute(text(f"ALTER TABLE objection_contacts DROP CONSTRAINT {BELONGS}"))
        for name in CHECKS:
            tx.execute(text(f"ALTER TABLE objection_contacts DROP CONSTRAINT {name}"))
        for number in range(count):
            put(tx, number, name=f"张三{number}" if number % 2 else None, contact=f"1380013{number:04d}")
        encrypted = "name ~ '^f1[.]' AND contact ~ '^f1[.]'"
        tx.execute(text(f"ALTER TABLE objection_contacts ADD CONSTRAINT {CHECKS[0]} CHECK ({encrypted}) NOT VALID"))
        found = "(contact IS NULL) = (contact_tag IS NULL)"
        tx.execute(text(f"ALTER TABLE objection_contacts ADD CONSTRAINT {CHECKS[1]} CHECK ({found}) NOT VALID"))

    owner.transact(work)


def test_what_an_older_version_wrote_is_encrypted_at_the_next_start(
    owner: Database, urls: Urls, tmp_path: Path
) -> None:
    lay_in_clear(owner, 5)
    encrypt_what_is_clear(urls.owner_url, tmp_path)
    keys = FieldKeys(tmp_path / FOLDER)
    raw = owner.transact(lambda tx: tx.execute(text("SELECT name, contact FROM objection_contacts")).all())
    assert len(raw) == 5
    assert not any("138" in (value or "")[:12] or "张" in (value or "") for row in raw for value in row)
    assert owner.transact(lambda tx: contacts(tx, keys)) == {
        number: (f"张三{number}" if number % 2 else None, f"1380013{number:04d}") for number in range(5)
    }
    unvalidated = text("SELECT count(*) FROM pg_constraint WHERE NOT convalidated")
    assert owner.transact(lambda tx: tx.execute(unvalidated).scalar_one()) == 0


def test_a_rotation_that_was_cut_short_goes_on_where_it_stood(owner: Database, tmp_path: Path) -> None:
    lay_in_clear(owner, 5)
    keys = FieldKeys.load_or_create(tmp_path)
    assert sum(encrypt_anew(owner, keys, batch=2)) == 5
    first, second = names_in(tmp_path)[0], add_field_key(tmp_path)
    keys = FieldKeys(tmp_path)
    next(encrypt_anew(owner, keys, batch=2))  # and killed
    found = owner.transact(standings)
    assert [one.values for one in found if one.column.name == "contact"] == [{first: 3, second: 2}]
    assert left_to_do(found, second) == 3 + 1  # of the two names one is done
    assert len(owner.transact(lambda tx: contacts(tx, keys))) == 5
    assert sum(encrypt_anew(owner, keys, batch=2)) == 3
    assert left_to_do(owner.transact(standings), second) == 0
    (tmp_path / f"{first}.key").unlink()
    assert owner.transact(lambda tx: contacts(tx, FieldKeys(tmp_path)))[3] == ("张三3", "13800130003")


def test_keys_that_values_need_are_named(owner: Database, tmp_path: Path) -> None:
    lay_in_clear(owner, 1)
    keys = FieldKeys.load_or_create(tmp_path)
    list(encrypt_anew(owner, keys))
    found = owner.transact(standings)
    assert missing_keys(found, []) == [keys.current]
    assert missing_keys(found, names_in(tmp_path)) == []


def test_a_value_copied_to_another_row_is_not_read_there(owner: Database, tmp_path: Path) -> None:
    lay_in_clear(owner, 2)
    keys = FieldKeys.load_or_create(tmp_path)
    list(encrypt_anew(owner, keys))
    swap = "UPDATE objection_contacts SET contact = (SELECT min(contact) FROM objection_contacts)"
    owner.transact(lambda tx: tx.execute(text(swap)))
    with pytest.raises(FieldUnreadable):
        owner.transact(lambda tx: contacts(tx, keys))


def test_the_service_can_write_nothing_in_clear(owner: Database, urls: Urls) -> None:
    service = Database(urls.app_url, pool_size=1, reach=EVERYWHERE)
    with pytest.raises(Exception, match="ck_objection_contacts_encrypted"):
        service.transact(lambda tx: put(tx, 1, name="张三", contact=None))
    service.dispose()


def test_a_place_is_the_whole_primary_key() -> None:
    one, other = FieldPlace("t", "c", ("a", "bc")), FieldPlace("t", "c", ("ab", "c"))
    assert one.associated() != other.associated()


def test_rows_from_before_the_migration_come_through_it(server: Server, tmp_path: Path) -> None:
    urls = databases.prepare(server, database="before_encryption")
    engine = create_engine(urls.owner_url)
    try:
        with engine.connect() as connection:
            config = migrations.configuration()
            config.attributes["connection"] = connection
            alembic.upgrade(config, "0027")
        with engine.begin() as connection:
            for statement in BEFORE:
                connection.execute(text(statement))
        migrations.upgrade(urls.owner_url)
        encrypt_what_is_clear(urls.owner_url, tmp_path)
        keys = FieldKeys(tmp_path / FOLDER)
        with engine.connect() as connection:
            rows = connection.execute(text("SELECT * FROM payee_accounts ORDER BY id")).all()
        assert [ACCOUNT_NO.read(keys, row.account_no, row.region_code, row.id) for row in rows] == NUMBERS
        assert [row.account_no_masked for row in rows] == ["6222****4321", "****5678", "1202****4567"]
        assert [row.account_no_tag in ACCOUNT_NO.tags(keys, NUMBERS[0]) for row in rows] == [True, False, False]
        assert [row.status for row in rows] == ["listed", "replaced", "rejected"]
        change = text("UPDATE payee_accounts SET bank_name = 'x' WHERE status = 'replaced'")
        with engine.begin() as connection, pytest.raises(ProgrammingError, match="is refused"):
            connection.execute(change)
    finally:
        engine.dispose()
        databases.drop(server, database="before_encryption")
