"""A client of the service: typed, with connections kept open.

>>> from dedup.client import Client
>>> with Client("http://127.0.0.1:8080", token="dedup_...") as client:  # doctest: +SKIP
...     answer = client.query("How do I boil an egg?", k=3)
...     print(answer.duplicate, [match.id for match in answer.matches])
"""

from dedup.client.client import Client, ServiceProblem
from dedup.client.records import (
    AskedPair,
    FoundAnswer,
    FoundCluster,
    FoundClusterEvent,
    FoundContradiction,
    FoundDuplicate,
    FoundEstimates,
    FoundLink,
    FoundMatch,
    FoundMember,
    FoundQuestion,
    FoundRecalibration,
    FoundReview,
    FoundRun,
    FoundScores,
    FoundShare,
    FoundWholeCluster,
    Put,
    SaidOfPair,
)

__all__ = [
    "AskedPair",
    "Client",
    "FoundAnswer",
    "FoundCluster",
    "FoundClusterEvent",
    "FoundContradiction",
    "FoundDuplicate",
    "FoundEstimates",
    "FoundLink",
    "FoundMatch",
    "FoundMember",
    "FoundQuestion",
    "FoundRecalibration",
    "FoundReview",
    "FoundRun",
    "FoundScores",
    "FoundShare",
    "FoundWholeCluster",
    "Put",
    "SaidOfPair",
    "ServiceProblem",
]
