import pytest


@pytest.fixture(scope="module", autouse=True)
def fake_domain(fake_domain_installed):
    return fake_domain_installed
