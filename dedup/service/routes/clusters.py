"""The clusters that the last run found."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response

from dedup.service.access import Reader
from dedup.service.lists import JSON, Accept, Cursor, Key, Limit, also_as_rows, answer_list
from dedup.service.problems import documented
from dedup.service.routes.state import TheService
from dedup.service.schemas import ClusterEventOut, ClusterOut, ClusterRow, LinkOut, MemberOut, Page, QuestionOut
from dedup.store import ClusterOrder

router = APIRouter(prefix="/v1/clusters", tags=["clusters"], responses=documented(401, 403, 422, 429, 500, 503))

Order = Annotated[ClusterOrder, Query(description="The largest first, or the weakest link first.")]
Id = Annotated[int, Path(ge=0, lt=2**31)]


@router.get("", summary="Clusters", response_model=Page[ClusterRow], responses=also_as_rows())
def clusters(
    caller: Reader,
    service: TheService,
    order: Annotated[
        ClusterOrder, Query(description="The largest first, or the weakest link first.")
    ] = ClusterOrder.SIZE,
    smallest: Annotated[int, Query(ge=1, lt=2**31, description="Leave out clusters of fewer questions.")] = 2,
    weakest: Annotated[
        float, Query(ge=0, le=1, description="Leave out clusters with a more probable weakest link.")
    ] = 1,
    text: Annotated[str, Query(max_length=200, description="Leave out clusters without this in a question.")] = "",
    limit: Limit = 50,
    cursor: Cursor = None,
    accept: Accept = JSON,
) -> Page[ClusterRow] | Response:
    """List clusters, a page at a time, or all of them as CSV or JSON lines."""

    def page(after: Key | None) -> tuple[list[ClusterRow], Key | None]:
        seen = None if after is None else (after[0], int(after[1]))
        found = service.store.cluster_page(order, limit, after=seen, smallest=smallest, weakest=weakest, text=text)
        if len(found) < limit:
            return [ClusterRow.of(each) for each in found], None
        last = found[-1]
        value = last.size if order is ClusterOrder.SIZE else last.weakest_probability
        return [ClusterRow.of(each) for each in found], (value, last.id)

    return answer_list(page, cursor, accept, length=2)


@router.get("/{cluster}", summary="A cluster", responses=documented(404))
def cluster(cluster: Id, caller: Reader, service: TheService) -> ClusterOut:
    """Return a cluster with its questions and the recorded pairs between them, the weakest first."""
    found = service.store.cluster(cluster)
    by_number = {member.question.number: member.question for member in found.members}
    pairs = [
        pair
        for pair in service.store.pairs_of_cluster(cluster)
        if pair.left in by_number and pair.right in by_number  # else a run has replaced the cluster in between
    ]
    links = [
        LinkOut(
            left=by_number[pair.left].id,
            left_source=by_number[pair.left].source,
            right=by_number[pair.right].id,
            right_source=by_number[pair.right].source,
            distance=pair.distance,
            probability=pair.probability,
        )
        for pair in sorted(pairs, key=lambda pair: (pair.probability, pair.left, pair.right))
    ]
    return ClusterOut(
        **ClusterRow.of(found.summary).model_dump(),
        members=[
            MemberOut(question=QuestionOut.of(member.question), probability=member.probability)
            for member in found.members
        ],
        links=links,
        history=[
            ClusterEventOut(run=event.run_id, at=event.at, kind=event.kind, cluster=event.cluster, into=event.into)
            for event in service.store.cluster_history(cluster)
        ],
    )
