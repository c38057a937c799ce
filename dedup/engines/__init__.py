"""Where shards are worked on: by processes of this machine, tasks of a Ray cluster, or workers that claim them.

The result is the same.
"""

from dedup.engines.opening import opened_engine
from dedup.engines.protocol import Engine, Failed, Task
from dedup.engines.work import WorkFolder, shown_uri

__all__ = ["Engine", "Failed", "Task", "WorkFolder", "opened_engine", "shown_uri"]
