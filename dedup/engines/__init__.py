"""Where shards are worked on: by processes of this machine, tasks of a Ray cluster, or workers that claim them.

The result is the same.
"""

from dedup.engines.opening import OpenQueue, opened_engine, require_engine
from dedup.engines.protocol import Engine, Failed, Task
from dedup.engines.work import WorkFolder, shown_uri

__all__ = ["Engine", "Failed", "OpenQueue", "Task", "WorkFolder", "opened_engine", "require_engine", "shown_uri"]
