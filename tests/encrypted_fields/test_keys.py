"""The folder of the field keys: for its owner alone, versions side by side, and a clear word where one is missing."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from app.kernel.encrypted_fields import FieldPlace, key_name_of
from app.kernel.problems import AppError, Code
from app.services.encrypted_fields.keys import FieldKeys, add_field_key, names_in, remove_field_key

PLACE = FieldPlace("t", "c", ("330100", "x"))


def test_the_folder_and_its_files_are_for_the_owner_alone(tmp_path: Path) -> None:
    keys = FieldKeys.load_or_create(tmp_path / "field-keys")
    assert stat.S_IMODE((tmp_path / "field-keys").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "field-keys" / f"{keys.current}.key").stat().st_mode) == 0o600


def test_a_second_process_reads_what_the_first_wrote(tmp_path: Path) -> None:
    stored = FieldKeys.load_or_create(tmp_path).encrypt("值", PLACE)
    assert FieldKeys.load_or_create(tmp_path).decrypt(stored, PLACE) == "值"


def test_equal_values_are_stored_differently_and_found_equally(tmp_path: Path) -> None:
    keys = FieldKeys.load_or_create(tmp_path)
    assert keys.encrypt("值", PLACE) != keys.encrypt("值", PLACE)
    assert keys.tag("值", "t", "c") == keys.tag("值", "t", "c") != keys.tag("值", "t", "d")


def test_a_key_that_is_added_is_written_with_and_the_old_one_still_reads(tmp_path: Path) -> None:
    clock = [0.0]
    FieldKeys.load_or_create(tmp_path)
    keys = FieldKeys(tmp_path, timer=lambda: clock[0])
    old, old_tag = keys.encrypt("值", PLACE), keys.tag("值", "t", "c")
    added = add_field_key(tmp_path)
    clock[0] = 6.0
    assert key_name_of(keys.encrypt("值", PLACE)) == added != key_name_of(old)
    assert keys.decrypt(old, PLACE) == "值"
    assert set(keys.tags("值", "t", "c")) == {old_tag, keys.tag("值", "t", "c")}


def test_a_key_added_elsewhere_is_looked_for_at_once(tmp_path: Path) -> None:
    running = FieldKeys.load_or_create(tmp_path)
    add_field_key(tmp_path)
    assert running.decrypt(FieldKeys(tmp_path).encrypt("值", PLACE), PLACE) == "值"


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    stored = FieldKeys.load_or_create(tmp_path).encrypt("值", PLACE)
    (lost,) = names_in(tmp_path)
    add_field_key(tmp_path)
    remove_field_key(tmp_path, lost)
    with pytest.raises(AppError) as refused:
        FieldKeys(tmp_path).decrypt(stored, PLACE)
    assert (refused.value.code, refused.value.context) == (Code.FIELD_KEY_MISSING, {"key": lost})


def test_a_key_does_not_show_itself(tmp_path: Path) -> None:
    keys = FieldKeys.load_or_create(tmp_path)
    assert "b'" not in repr(keys) + repr(list(keys._keys.values()))
