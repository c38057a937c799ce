"""What every test may use."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# The same examples each time, and no verdict on how quick a machine is.
settings.register_profile("repeatable", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("repeatable")

pytest_plugins = ["corpora", "databases", "object_stores", "sharded"]


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what the tests prepare out of the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield
