import importlib
import os
import shutil
import sys
from pathlib import Path

import pytest


def install_fake_domain(folder: Path) -> None:
    """Lay the fake domain out as an installed distribution: a module and its entry point."""
    shutil.copy(Path(__file__).with_name("fake_domain.py"), folder / "labelnoise_fake_domain.py")
    info = folder / "labelnoise_fake_domain-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: labelnoise-fake-domain\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text("[labelnoise.domains]\nfake = labelnoise_fake_domain:FakeDomain\n")


@pytest.fixture(scope="session", autouse=True)
def fake_domain(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    install_fake_domain(folder)
    before = os.environ.get("PYTHONPATH")
    sys.path.insert(0, str(folder))
    os.environ["PYTHONPATH"] = os.pathsep.join([str(folder), os.getcwd(), *([before] if before else [])])
    importlib.invalidate_caches()
    yield folder
    sys.path.remove(str(folder))
    if before is None:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = before
    sys.modules.pop("labelnoise_fake_domain", None)


@pytest.fixture
def small_grid():
    from labelnoise.core.bench.grid import parse_grid

    def make(methods=("strong", "weak"), datasets=("disc",), noise=None, seeds=2):
        return parse_grid(
            {
                "name": "small",
                "seeds": seeds,
                "block": [
                    {
                        "domain": "fake",
                        "datasets": list(datasets),
                        "noise": noise or [{"kind": "symmetric", "rates": [0.2]}],
                        "methods": list(methods),
                    }
                ],
            }
        )

    return make
