"""The command line: commands parse, call and print; what they call is there for library callers too.

Importing this imports no command's machinery (torch, faiss, scikit-learn, SQLAlchemy): each command does when it runs.
"""

from dedup.cli.main import cli, main

__all__ = ["cli", "main"]
