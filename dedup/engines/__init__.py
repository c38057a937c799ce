"""Where shards are worked on: processes of this machine, or tasks of a Ray cluster; the result is the same."""

from dedup.engines.opening import opened_engine
from dedup.engines.protocol import Engine, Failed, Task
from dedup.engines.work import WorkFolder, shown_uri

__all__ = ["Engine", "Failed", "Task", "WorkFolder", "opened_engine", "shown_uri"]
