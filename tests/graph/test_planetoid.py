"""Planetoid's old pickles: read as numbers, never run."""

from __future__ import annotations

import os
import pickle
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labelnoise.core.validation import InputError
from labelnoise.graph.planetoid import PLANETOID_PARTS, read_planetoid

N_KNOWN, N_TRAIN, TEST = 520, 4, (523, 521, 526)
CLASSES = ("a", "b")


def parts() -> dict[str, Any]:
    """A tiny graph in the raw layout: 520 described nodes, test nodes 521, 523, 526 and gaps between them."""
    rng = np.random.default_rng(0)
    allx = sp.random_array((N_KNOWN, 7), density=0.3, rng=rng, format="csr", dtype=np.float32)
    tx = sp.csr_array(np.arange(1, 22, dtype=np.float32).reshape(3, 7))
    one_hot = np.eye(2, dtype=np.int32)
    ally = one_hot[rng.integers(0, 2, N_KNOWN)]
    graph = defaultdict(list, {node: [node + 1, node + 1, node] for node in range(526)})
    as_matrix = sp.csr_matrix
    return {
        "x": as_matrix(allx[:N_TRAIN]),
        "tx": as_matrix(tx),
        "allx": as_matrix(allx),
        "y": ally[:N_TRAIN],
        "ty": one_hot[[1, 0, 1]],
        "ally": ally,
        "graph": graph,
        "test.index": "".join(f"{node}\n" for node in TEST),
    }


def write(folder: Path, content: dict[str, Any]) -> Path:
    for part, value in content.items():
        data = value.encode() if isinstance(value, str) else pickle.dumps(value, protocol=2)
        (folder / f"ind.tiny.{part}").write_bytes(data)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path, parts())


def test_test_nodes_get_the_row_that_their_position_in_the_index_names(folder: Path) -> None:
    content = parts()
    graph = read_planetoid(folder, "Tiny", CLASSES)
    assert graph.n_nodes == 527
    x = graph.x.toarray()
    for position, node in enumerate(TEST):
        np.testing.assert_array_equal(x[node], content["tx"].toarray()[position])
        assert graph.given[node] == content["ty"][position].argmax()
    np.testing.assert_array_equal(x[:N_KNOWN], content["allx"].toarray())
    np.testing.assert_array_equal(graph.given[:N_KNOWN], content["ally"].argmax(axis=1))
    assert graph.meta["nodes_without_published_label"] == [520, 522, 524, 525]
    assert not x[[520, 522, 524, 525]].any()


def test_masks_and_edges(folder: Path) -> None:
    graph = read_planetoid(folder, "Tiny", CLASSES)
    assert np.flatnonzero(graph.masks["train"]).tolist() == [0, 1, 2, 3]
    assert np.flatnonzero(graph.masks["val"]).tolist() == list(range(4, 504))
    assert np.flatnonzero(graph.masks["test"]).tolist() == sorted(TEST)
    # Stored one way, with repetitions and self loops: both go, no direction is made up.
    np.testing.assert_array_equal(graph.edge_index, [np.arange(526), np.arange(1, 527)])


class Evil:
    """Unpickled naively, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("part", [part for part in PLANETOID_PARTS if part not in ("x", "test.index")])
def test_a_file_that_would_run_something_is_refused_and_runs_nothing(folder: Path, part: str) -> None:
    (folder / f"ind.tiny.{part}").write_bytes(pickle.dumps(Evil(folder / "made"), protocol=2))
    with pytest.raises(InputError, match=r"asks for posix.mkdir|asks for nt.mkdir"):
        read_planetoid(folder, "Tiny", CLASSES)
    assert not (folder / "made").exists()


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(b"cbuiltins\neval\n(S'1'\ntR.", id="eval"),
        pytest.param(b"cnumpy\nload\n(S'x'\ntR.", id="numpy.load"),
        pytest.param(b"cscipy.sparse.csr\ncsr_matrix.__init__\n.", id="dotted"),
        pytest.param(b"cnumpy\nndarray.tofile\n.", id="method"),
        pytest.param(b"P1\n.", id="persistent id"),
        pytest.param(pickle.dumps(np.array([object], dtype=object), protocol=2), id="objects"),
        pytest.param(pickle.dumps([1, 2], protocol=2), id="other content"),
        pytest.param(b"", id="empty"),
        pytest.param(b"version https://git-lfs.github.com/spec/v1\n", id="a pointer to a file"),
    ],
)
def test_anything_else_than_numbers_is_refused(folder: Path, payload: bytes) -> None:
    for part in ("allx", "graph", "y"):
        broken = write(folder, parts())
        (broken / f"ind.tiny.{part}").write_bytes(payload)
        with pytest.raises(InputError):
            read_planetoid(broken, "Tiny", CLASSES)


def test_indices_outside_the_matrix_never_reach_compiled_code(folder: Path) -> None:
    content = parts()
    content["allx"].indices[0] = 10**6
    write(folder, content)
    with pytest.raises(InputError, match="damaged"):
        read_planetoid(folder, "Tiny", CLASSES)


def test_a_file_cannot_change_how_the_next_one_is_read(folder: Path) -> None:
    # BUILD with a slot state sets attributes on the class that GLOBAL put on the stack.
    tamper = b"\x80\x02cnumpy\ndtype\n(N}X\x04\x00\x00\x00codeX\x02\x00\x00\x00O8stb."
    before = read_planetoid(folder, "Tiny", CLASSES).content_hash()
    for _ in range(2):
        (folder / "ind.tiny.ty").write_bytes(tamper)
        with pytest.raises(InputError):
            read_planetoid(folder, "Tiny", CLASSES)
        write(folder, parts())
        assert read_planetoid(folder, "Tiny", CLASSES).content_hash() == before


@pytest.mark.parametrize(
    ("part", "value", "message"),
    [
        ("test.index", "523\n521\n", "do not fit together"),
        ("test.index", "523\n521\n10\n", "do not fit together"),
        ("test.index", "523\n521\n521\n", "do not fit together"),
        ("test.index", "523\n521\n99999999\n", "do not fit together"),
        ("test.index", "a\n", "one node number per line"),
        ("ally", np.eye(2, dtype=np.int32)[np.zeros(3, int)], "do not fit together"),
        ("graph", {0: [9999]}, "outside 0 to 526"),
        ("graph", {0: 5}, "list of neighbours"),
        ("graph", {"a": [1]}, "list of neighbours"),
    ],
)
def test_files_that_do_not_belong_together(folder: Path, part: str, value: Any, message: str) -> None:
    write(folder, {part: value})
    with pytest.raises(InputError, match=message):
        read_planetoid(folder, "Tiny", CLASSES)


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "ind.tiny.graph").unlink()
    with pytest.raises(InputError, match=r"ind\.tiny\.graph is missing"):
        read_planetoid(folder, "Tiny", CLASSES)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_bytes_end_in_one_kind_of_error(tmp_path: Path, data: st.DataObject) -> None:
    part = data.draw(st.sampled_from(["tx", "y", "graph"]))
    content = write(tmp_path, parts()).joinpath(f"ind.tiny.{part}").read_bytes()
    if data.draw(st.booleans()):
        damaged = content[: data.draw(st.integers(0, len(content) - 1))]
    else:
        position = data.draw(st.integers(0, len(content) - 1))
        damaged = content[:position] + data.draw(st.binary(min_size=1, max_size=8)) + content[position + 1 :]
    (tmp_path / f"ind.tiny.{part}").write_bytes(damaged)
    message = ""
    try:
        read_planetoid(tmp_path, "Tiny", CLASSES)
    except InputError as error:
        message = str(error)
    assert "\n" not in message


def test_reading_needs_no_torch(real_data: Path) -> None:
    import subprocess

    code = (
        "import sys; from pathlib import Path; from labelnoise.graph.data import load_graph;"
        f"load_graph('cora', root=Path({str(real_data / 'graph')!r}));"
        "print(sorted({'torch', 'pandas', 'sklearn', 'torch_geometric'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_damaged_number_of_a_remembered_object_takes_no_memory(tmp_path: Path) -> None:
    import subprocess

    if not Path("/proc/self/status").exists():
        pytest.skip("the peak of a process's memory is read from /proc")
    # Protocol 2: an empty dict, remembered as object 2,000,000,000.
    write(tmp_path, parts()).joinpath("ind.tiny.graph").write_bytes(b"\x80\x02}r\x00\x94\x35\x77.")
    code = (
        "from pathlib import Path; from labelnoise.graph.planetoid import read_planetoid;"
        f"read_planetoid(Path({str(tmp_path)!r}), 'Tiny', {CLASSES!r});"
        "print(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 1_000_000  # kB


def test_what_would_take_forever_or_all_memory_is_refused(folder: Path) -> None:
    # A key that holds itself twice over, sixty times: its hash takes 2 to the 60 steps.
    nested = b"K\x01" + b"q\x00h\x00\x86" * 60
    # One text of 60,000 letters, remembered, and copied 20,000 times.
    text = b"X" + (60_000).to_bytes(4, "little") + b"a" * 60_000 + b"q\x00"
    copies = b"c_codecs\nencode\nq\x01" + b"h\x01h\x00\x85R" * 20_000
    for content in (b"\x80\x02}" + nested + b"K\x01s.", b"\x80\x02]" + text + copies + b"."):
        (folder / "ind.tiny.graph").write_bytes(content)
        with pytest.raises(InputError, match="other keys than|far more than it holds"):
            read_planetoid(folder, "Tiny", CLASSES)
