import pytest


@pytest.fixture(scope="module", autouse=True)
def fake_domain(fake_domain_installed):
    return fake_domain_installed


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
