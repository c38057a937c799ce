"""`python -m dedup.cli` is `dedup`."""

from dedup.cli.main import main

main()
