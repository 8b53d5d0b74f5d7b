import importlib
import os
import shutil
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def pets_site(tmp_path_factory):
    """A folder that holds the pets domain as an installed distribution; not yet on any path."""
    folder = tmp_path_factory.mktemp("pets_site")
    shutil.copy(Path(__file__).with_name("pets_domain.py"), folder / "labelnoise_pets.py")
    for name, target in (("pets", "labelnoise_pets:PetsDomain"), ("bare", "labelnoise_no_such_extra:Bare")):
        info = folder / f"labelnoise_{name}-0.1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: labelnoise-{name}\nVersion: 0.1\n")
        (info / "entry_points.txt").write_text(f"[labelnoise.domains]\n{name} = {target}\n")
    return folder


@pytest.fixture
def pets(pets_site, monkeypatch):
    """The pets domain, found by name in this process and in the ones it starts."""
    monkeypatch.syspath_prepend(str(pets_site))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(pets_site), os.getcwd()]))
    importlib.invalidate_caches()
    yield "pets"
    sys.modules.pop("labelnoise_pets", None)


@pytest.fixture(scope="session")
def fake_site(tmp_path_factory):
    """A folder that holds the benchmark's fake domain as an installed distribution; not yet on any path."""
    folder = tmp_path_factory.mktemp("fake_site")
    shutil.copy(Path(__file__).with_name("bench") / "fake_domain.py", folder / "labelnoise_fake_domain.py")
    info = folder / "labelnoise_fake_domain-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: labelnoise-fake-domain\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text("[labelnoise.domains]\nfake = labelnoise_fake_domain:FakeDomain\n")
    return folder


@pytest.fixture(scope="module")
def fake_domain_installed(fake_site):
    """The fake domain, found by name while one file's tests run: no other file's tests may see it.

    Its module stays imported, because it registers its methods once.
    """
    before = os.environ.get("PYTHONPATH")
    sys.path.insert(0, str(fake_site))
    os.environ["PYTHONPATH"] = os.pathsep.join([str(fake_site), os.getcwd(), *([before] if before else [])])
    importlib.invalidate_caches()
    yield fake_site
    sys.path.remove(str(fake_site))
    if before is None:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = before
