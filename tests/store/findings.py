"""What a run found, for the store to put in service: nothing became of what was there before."""

import numpy as np

from dedup.store import (
    ChangedDuplicates,
    ClusterEvents,
    GenerationRecord,
    RecordedClusters,
    RecordedPairs,
    RunFindings,
)


def findings(published: GenerationRecord, pairs: RecordedPairs, clusters: RecordedClusters) -> RunFindings:
    none = np.empty(0, dtype=np.int64)
    changed, events = ChangedDuplicates(none, none, none.astype(bool)), ClusterEvents([], none, none, none, none)
    return RunFindings(published, pairs, clusters, changed, events)
