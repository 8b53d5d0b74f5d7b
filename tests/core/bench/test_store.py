import json
import os
import shutil
import time
import warnings

import pytest

from labelnoise.core.bench.store import DamagedCell, Store
from labelnoise.core.validation import InputError


def record(name, **more):
    return {"determined_by": {"schema": 1, "cell": name}, "status": "ok", "value": 0.1 + 0.2, **more}


def test_records_come_back_to_the_last_digit(tmp_path):
    store = Store(tmp_path)
    key = store.put(record("a"))
    assert store.get(key)["value"] == 0.1 + 0.2
    assert store.get("0" * 40) is None
    with pytest.raises(KeyError):
        store.read("0" * 40)
    assert list(store.names()) == [key]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text[:-20], "truncated"),
        (lambda text: "", "truncated"),
        (lambda text: text.replace("ok", "no"), "altered"),
        (lambda text: "[]", "not the record"),
        (lambda text: "\udc80", "cannot be read"),
    ],
)
def test_damage_is_found_and_counts_as_not_run(tmp_path, damage, message):
    store = Store(tmp_path)
    key = store.put(record("a"))
    store.put(record("b"))
    text = damage(store.path(key).read_text())
    store.path(key).write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.warns(RuntimeWarning, match=message):
        assert store.get(key) is None
    assert len(store.verify()) == 1
    with pytest.warns(RuntimeWarning):
        assert len(list(store.records())) == 1
    store.put(record("a"))
    assert store.verify() == []


def test_a_renamed_file_is_found(tmp_path):
    store = Store(tmp_path)
    key = store.put(record("a"))
    os.rename(store.path(key), store.path("f" * 40))
    assert "another cell" in store.verify()[0]
    with pytest.raises(DamagedCell):
        store.read("f" * 40)


def test_a_crash_while_writing_leaves_the_old_record_and_no_rubbish(tmp_path, monkeypatch):
    store = Store(tmp_path)
    key = store.put(record("a", round=1))

    def no_disk(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", no_disk)
    with pytest.raises(OSError, match="disk full"):
        store.put(record("a", round=2))
    assert store.get(key)["round"] == 1
    assert len(list(store.cells.iterdir())) == 1


def test_nan_is_never_written(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        Store(tmp_path).put(record("a", bad=float("nan")))
    assert len(Store(tmp_path)) == 0


def test_stores_merge_by_copying_or_by_merge(tmp_path):
    one, two = Store(tmp_path / "1"), Store(tmp_path / "2")
    shared = one.put(record("a"))
    two.put(record("a"))
    two.put(record("b"))
    copied = Store(tmp_path / "3")
    shutil.copytree(one.cells, copied.cells)
    shutil.copytree(two.cells, copied.cells, dirs_exist_ok=True)
    assert len(copied) == 2
    one.path(shared).write_text("{")
    assert one.merge(two) == 2  # the damaged one is replaced, the missing one added
    assert one.merge(two) == 0
    assert list(one.names()) == list(copied.names())
    assert one.verify() == copied.verify() == []


def test_only_old_temporary_files_are_removed(tmp_path):
    store = Store(tmp_path)
    store.put(record("a"))
    old, new = store.cells / ".x.tmp", store.cells / ".y.tmp"
    old.write_text("")
    new.write_text("")
    os.utime(old, (time.time() - 7200,) * 2)
    assert store.clean() == 1
    assert new.exists()
    assert len(store) == 1


def test_counts_and_missing_store(tmp_path):
    store = Store(tmp_path / "none")
    assert (len(store), store.verify(), store.counts()) == (0, [], {})
    with pytest.raises(InputError, match="holds no benchmark results"):
        store.must_exist()
    store.put(record("a"))
    store.put({**record("b"), "status": "failed"})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert store.must_exist().counts() == {"failed": 1, "ok": 1}
    json.loads(next(store.cells.iterdir()).read_text())
