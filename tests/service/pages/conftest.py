"""The site and the browser, for every test of the pages."""

import pytest

pytest.importorskip("uvicorn", reason="needs question-dedup[service]")
pytest.importorskip("playwright", reason="needs playwright")

from service_site import browser, site, visitor

__all__ = ["browser", "site", "visitor"]
