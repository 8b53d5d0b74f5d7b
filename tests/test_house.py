"""Rules of the house: which way imports run, what is never done, and that nothing is registered unfounded."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import labelnoise
from labelnoise.core.registry import Entry, Registry

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = Path(labelnoise.__file__).parent
SOURCES = sorted(PACKAGE.rglob("*.py"))
#: Every folder beside the core is a modality, and so are the names that are kept for later ones.
MODALITIES = {"text", "graph", "audio", "segmentation"} | {
    path.parent.name for path in PACKAGE.glob("*/__init__.py") if path.parent.name != "core"
}
LONGEST = 600

each_source = pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))


def imported(text: str, package: str) -> Iterator[str]:
    """Absolute names of what a module imports anywhere, in functions too, and of modules named in strings.

    Names in strings count since that is how registries and `importlib` import; prose in docstrings does not.
    """
    tree = ast.parse(text)
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            start = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{start}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield from re.findall(r"\blabelnoise(?:\.\w+)+", node.value)


def foreign(text: str, package: str) -> list[str]:
    """The imports of a module that cross from its room into a modality that is not its own."""
    room = (package.split(".") + [""])[1]
    found = (name.split(".") for name in imported(text, package))
    return [
        ".".join(parts)
        for parts in found
        if parts[0] == "labelnoise" and len(parts) > 1 and parts[1] in MODALITIES and parts[1] != room
    ]


@each_source
def test_modalities_import_the_core_and_nothing_the_other_way(path: Path) -> None:
    package = ".".join(["labelnoise", *path.relative_to(PACKAGE).parts[:-1]])
    assert foreign(path.read_text(encoding="utf-8"), package) == []


@pytest.mark.parametrize(
    "line",
    [
        "import labelnoise.graph",
        "from labelnoise import graph",
        "from labelnoise.graph.data import load_graph",
        "def f():\n    from ..graph import data",
        "from .. import graph",
        "Entry('a', 'labelnoise.graph.votes:vote')",
    ],
)
def test_an_import_of_a_modality_is_seen_in_every_disguise(line: str) -> None:
    assert foreign(line, "labelnoise.core")
    assert foreign(line.replace("graph", "text"), "labelnoise.graph")
    assert foreign(line, "labelnoise.graph") == []
    assert foreign(line.replace("graph", "core"), "labelnoise.graph") == []


#: Calls that run, unpack or fetch what a file says, by the last parts of their name.
BANNED_CALLS = (
    "pickle.load", "pickle.loads", "dill.load", "joblib.load", "marshal.loads", "shelve.open", "read_pickle", "eval", "exec",
    "compile", "os.system", "os.popen", "yaml.load", "yaml.unsafe_load", "unpack_archive", "extractall", "tarfile.open",
    "urlopen", "urlretrieve", "requests.get", "numpy.loadtxt", "np.fromregex",
)  # fmt: skip
#: What numpy.load would do is done by `labelnoise.core.array_files`, which checks headers first.
LOADERS = {"np.load", "numpy.load", "np.lib.npyio.NpzFile"}


def unsafe(text: str) -> list[str]:
    """Calls in a module's source that must not be there, with their lines."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            address = node.value.startswith("http://") and not node.value.startswith("http://www.w3.org/")
            found += [f"{node.lineno}: {node.value}"] if address else []
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        keywords = {word.arg: ast.unparse(word.value) for word in node.keywords}
        method = isinstance(node.func, ast.Attribute) and name.rpartition(".")[2] in ("eval", "compile")
        wrong = any(name == banned or name.endswith(f".{banned}") for banned in BANNED_CALLS) and not method
        wrong |= name in LOADERS or keywords.get("allow_pickle") == "True" or keywords.get("shell") == "True"
        wrong |= name.endswith("torch.load") and keywords.get("weights_only") != "True"
        wrong |= name.endswith("from_pretrained") and keywords.get("trust_remote_code", "False") != "False"
        if wrong:
            found.append(f"{node.lineno}: {name}")
    return found


@pytest.mark.parametrize(
    "line",
    [
        "pickle.load(f)",
        "import pickle\nx = pickle.loads(b)",
        "np.load(p)",
        "np.load(p, allow_pickle=True)",
        "np.savez(p, allow_pickle=True)",
        "torch.load(p)",
        "torch.load(p, weights_only=False)",
        "torch.load(p, weights_only=flag)",
        "yaml.load(f)",
        "eval(text)",
        "exec(text)",
        "subprocess.run(a, shell=True)",
        "os.system(a)",
        "tarfile.open(p).extractall(q)",
        "shutil.unpack_archive(p)",
        "urllib.request.urlopen(u)",
        "URL = 'http://example.org/data.zip'",
        "AutoModel.from_pretrained(x, trust_remote_code=True)",
    ],
)
def test_what_is_unsafe_is_seen(line: str) -> None:
    assert unsafe(line)
    fine = (
        "model.eval()",
        "torch.load(p, weights_only=True)",
        "re.compile(x)",
        "subprocess.run(a)",
        "x = 'https://a.org'",
    )
    assert unsafe("\n".join(fine)) == []


@each_source
def test_nothing_unsafe_or_private_to_one_machine(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert unsafe(text) == []
    assert not re.search(r"[\"'(`\s](/home/|/work/|/root/|/Users/|/tmp/|C:\\)", text)
    assert text.count("\n") < LONGEST


@pytest.mark.parametrize(
    "path", sorted((ROOT / "tests").rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT))
)
def test_tests_stay_short_and_on_any_machine(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") < LONGEST
    if path != Path(__file__).resolve():
        assert not re.search(r"[\"'(`\s](/home/|/work/|/root/|/Users/)", text)


def registries() -> dict[str, Registry]:
    """Every registry that the package makes, by the place where it is found first."""
    found: dict[int, tuple[str, Registry]] = {}
    for info in pkgutil.walk_packages([str(PACKAGE)], "labelnoise."):
        if info.name.endswith("__main__"):
            continue
        for name, value in vars(importlib.import_module(info.name)).items():
            if isinstance(value, Registry):
                found.setdefault(id(value), (f"{info.name}.{name}", value))
    return dict(found.values())


REGISTERED = {
    f"{where}[{entry.name}]": entry for where, registry in registries().items() for entry in registry.values()
}
TESTS = {
    path: path.read_text(encoding="utf-8")
    for path in (ROOT / "tests").rglob("test_*.py")
    if path.parent != ROOT / "tests"
}


def test_the_registries_are_found() -> None:
    wheres = {label.partition("[")[0].rpartition(".")[2] for label in REGISTERED}
    assert wheres >= {"NOISES", "SELECTORS", "QUALITY_SCORES", "DETECTORS", "TRIVIAL"}
    assert len(REGISTERED) > 40


@pytest.mark.parametrize("label", REGISTERED)
def test_whatever_is_registered_is_cited_documented_and_tested(label: str) -> None:
    entry = REGISTERED[label]
    target = entry.load()
    assert callable(target)
    assert entry.summary.rstrip().endswith(".")
    cites = re.search(r"\b(19|20)\d\d\b|\bthis project\b|\bcleanlab \d", entry.source)
    assert cites, f"its source names no paper, no release and no reason: {entry.source!r}"
    assert inspect.getdoc(target), f"{entry.target} has no docstring"
    assert has_example(entry), f"neither {entry.target} nor its module shows an example"
    attribute = entry.target.partition(":")[2]
    used = re.compile(rf"""["']{re.escape(entry.name)}["']|[\s.(\[]{re.escape(attribute)}[\](,]""")
    assert any(used.search(text) for text in TESTS.values()), "no test names it or uses it"


def has_example(entry: Entry) -> bool:
    """Whether the target, its module, or a class or function of that module is shown at work."""
    module = importlib.import_module(entry.target.partition(":")[0])
    documented = [entry.load(), module, *vars(module).values()]
    own = [thing for thing in documented if getattr(thing, "__module__", module.__name__) == module.__name__]
    return any(">>>" in (thing.__doc__ or "") for thing in [entry.load(), *own])
