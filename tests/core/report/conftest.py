import importlib.util
from pathlib import Path

_path = Path(__file__).parents[1] / "bench" / "conftest.py"
_spec = importlib.util.spec_from_file_location("labelnoise_bench_conftest", _path)
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)

fake_domain = _module.fake_domain
