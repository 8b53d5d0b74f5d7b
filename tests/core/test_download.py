"""Downloads: checked, recorded, never half-written, never silently replaced."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from types import SimpleNamespace

import pooch
import pytest

from labelnoise.core.download import TRUST, _stay_on_https, cache_root, fetch, sha256_of
from labelnoise.core.validation import InputError

URL = "https://example.org/data.bin"
CONTENT = b"one graph"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class FakeServer:
    """Stands in for pooch's downloader: serves bytes from memory and counts the requests."""

    def __init__(self) -> None:
        self.content: bytes | Exception = CONTENT
        self.requests = 0

    def __call__(self, timeout: float, hooks: object) -> FakeServer:
        return self

    def download(self, url: str, output: str, pooch: object) -> None:
        self.requests += 1
        if isinstance(self.content, Exception):
            raise self.content
        Path(output).write_bytes(self.content)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> FakeServer:
    fake = FakeServer()
    monkeypatch.setattr(pooch, "HTTPDownloader", lambda timeout, hooks: fake.download)
    return fake


def test_a_published_checksum_is_checked_and_the_file_is_fetched_once(
    server: FakeServer, tmp_path: Path
) -> None:
    target, lock = tmp_path / "raw" / "data.bin", tmp_path / "checksums.json"
    for _ in range(2):
        assert fetch(URL, target, sha256=DIGEST, lock=lock) is True
    assert target.read_bytes() == CONTENT
    assert server.requests == 1
    assert not lock.exists()


def test_a_damaged_file_in_the_cache_is_fetched_again(server: FakeServer, tmp_path: Path) -> None:
    target = tmp_path / "data.bin"
    target.write_bytes(CONTENT[:3])
    fetch(URL, target, sha256=DIGEST, lock=tmp_path / "lock")
    assert target.read_bytes() == CONTENT


def test_other_bytes_than_the_checksum_are_refused_and_not_kept(server: FakeServer, tmp_path: Path) -> None:
    server.content = b"something else"
    target = tmp_path / "data.bin"
    with pytest.raises(InputError, match="does not have the expected SHA-256"):
        fetch(URL, target, sha256=DIGEST, lock=tmp_path / "lock")
    assert list(tmp_path.iterdir()) == []


def test_first_use_is_recorded_said_and_held_against_later_content(
    server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, lock = tmp_path / "data.bin", tmp_path / "checksums.json"
    with pytest.raises(InputError, match="No checksum of .* is published"):
        fetch(URL, target, sha256=None, lock=lock)
    assert server.requests == 0
    monkeypatch.setenv(TRUST, "1")
    with pytest.warns(UserWarning, match="recorded in"):
        assert fetch(URL, target, sha256=None, lock=lock) is False
    assert json.loads(lock.read_text()) == {URL: DIGEST}
    assert fetch(URL, target, sha256=None, lock=lock) is False  # no second warning: pytest would show it
    target.unlink()
    server.content = b"the source has changed"
    with pytest.raises(InputError, match="source changed"):
        fetch(URL, target, sha256=None, lock=lock)
    assert not target.exists()


def test_a_file_put_into_the_cache_by_hand_is_taken_and_recorded(server: FakeServer, tmp_path: Path) -> None:
    target, lock = tmp_path / "data.bin", tmp_path / "checksums.json"
    target.write_bytes(b"mine")
    with pytest.warns(UserWarning, match="recorded"):
        fetch(URL, target, sha256=None, lock=lock)
    assert server.requests == 0
    assert json.loads(lock.read_text()) == {URL: sha256_of(target)}


def test_no_connection_is_one_sentence_with_the_way_out(server: FakeServer, tmp_path: Path) -> None:
    server.content = ConnectionError("no route")
    with pytest.raises(InputError, match=r"Could not download .* download it yourself to"):
        fetch(URL, tmp_path / "data.bin", sha256=DIGEST, lock=tmp_path / "lock")


@pytest.mark.parametrize("url", ["http://example.org/data.bin", "file:///etc/passwd", "ftp://x/y"])
def test_only_https(server: FakeServer, tmp_path: Path, url: str) -> None:
    with pytest.raises(InputError, match="https only"):
        fetch(url, tmp_path / "data.bin", sha256=DIGEST, lock=tmp_path / "lock")
    assert server.requests == 0


@pytest.mark.parametrize(
    ("location", "fine"),
    [("", True), ("/b", True), ("https://b/c", True), ("http://b", False), ("file:///x", False)],
)
def test_a_redirection_stays_on_https(location: str, fine: bool) -> None:
    answer = SimpleNamespace(url="https://a/x", headers={"location": location} if location else {})
    if fine:
        _stay_on_https(answer)
    else:
        with pytest.raises(InputError, match="not an https address"):
            _stay_on_https(answer)


@pytest.mark.parametrize("content", ["{", "[1]", '{"a": 1}'])
def test_a_broken_record_is_refused(server: FakeServer, tmp_path: Path, content: str) -> None:
    lock = tmp_path / "checksums.json"
    lock.write_text(content)
    with pytest.raises(InputError, match="checksum record"):
        fetch(URL, tmp_path / "data.bin", sha256=None, lock=lock)


def test_the_cache_can_be_moved(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LABELNOISE_CACHE", str(tmp_path))
    assert cache_root() == tmp_path
    monkeypatch.delenv("LABELNOISE_CACHE")
    assert cache_root().name == "labelnoise"
