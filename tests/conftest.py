"""What every test may use."""

pytest_plugins = ["corpora", "databases"]
