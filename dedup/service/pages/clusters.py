"""The clusters: which there are, one of them, and what people change in it by hand.

What is changed is a decision about texts, recorded as verdicts on pairs (`dedup.store.reviews`) and as the choice of a
canonical question (`dedup.store.choices`): the next run follows it, and every run after it.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response

from dedup.service.lists import cursor_of, key_of
from dedup.service.pages.graph import SHOWN, SIZE, draw_cluster
from dedup.service.pages.regrouping import merging, splitting
from dedup.service.pages.rendering import render
from dedup.service.pages.review import last_said
from dedup.service.pages.routing import PageRoute, see_other
from dedup.service.pages.sessions import ReaderVisit, ReviewerVisit
from dedup.service.problems import Problem
from dedup.service.routes.state import TheService
from dedup.store import ClusterOrder, Stratum, Verdict

router = APIRouter(prefix="/clusters", route_class=PageRoute, include_in_schema=False)

_ON_A_PAGE = 25
_LONGEST_TEXT = 200
_MEMBERS = 100  # shown at once, unless all are asked for

Id = Annotated[int, Path(ge=0, lt=2**31)]


@router.get("")
def clusters(
    request: Request,
    visit: ReaderVisit,
    service: TheService,
    order: ClusterOrder = ClusterOrder.SIZE,
    smallest: Annotated[int, Query(ge=1, lt=2**31)] = 2,
    weakest: Annotated[float, Query(ge=0, le=100)] = 100,
    text: Annotated[str, Query(max_length=_LONGEST_TEXT)] = "",
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """List clusters; ``weakest`` is a percentage."""
    key = key_of(cursor, 2)
    found = service.store.cluster_page(
        order,
        _ON_A_PAGE + 1,
        after=None if key is None else (key[0], int(key[1])),
        smallest=smallest,
        weakest=weakest / 100,
        text=text.strip(),
    )
    shown = found[:_ON_A_PAGE]
    following = None
    if len(found) > len(shown):
        last = shown[-1]
        following = cursor_of((last.size if order is ClusterOrder.SIZE else last.weakest_probability, last.id))
    return render(
        request,
        visit,
        "clusters",
        clusters=shown,
        order=order,
        smallest=smallest,
        weakest=weakest,
        text=text,
        following=following,
        is_first=cursor is None,
    )


@router.get("/{cluster}")
def cluster(request: Request, cluster: Id, visit: ReaderVisit, service: TheService, members: str = "") -> Response:
    """Show a cluster, and offer what can be changed in it."""
    store = service.store
    found = store.cluster(cluster)
    pairs = store.pairs_of_cluster(cluster)
    numbers = [member.question.number for member in found.members]
    said = last_said(service, visit, store.reviewed()) if visit.may("review") else None
    about_this = said is not None and (said.review.left in numbers or said.review.right in numbers)
    return render(
        request,
        visit,
        "cluster",
        cluster=found.summary,
        members=found.members if members == "all" else found.members[:_MEMBERS],
        size=len(found.members),
        texts=len({member.question.text_key for member in found.members}),
        graph=draw_cluster(found.members, pairs),
        picture=SIZE,
        pictured=min(SHOWN, len(found.members)),
        pairs=len(pairs),
        history=store.cluster_history(cluster),
        choice=next(iter(store.choices(numbers)), None),
        said=said if about_this else None,
    )


@router.post("/{cluster}/canonical")
def choose(cluster: Id, visit: ReviewerVisit, service: TheService) -> Response:
    """Have a question of the cluster be its canonical one."""
    question = visit.number("question")
    if question not in {member.question.number for member in service.store.cluster(cluster).members}:
        raise Problem(409, "moved", "the question is in another cluster by now; look for it there")
    service.store.choose_canonical(question, actor=visit.actor)
    return see_other(f"/clusters/{cluster}")


@router.post("/{cluster}/canonical/forget")
def forget(cluster: Id, visit: ReviewerVisit, service: TheService) -> Response:
    """Leave it to the order of questions again which one is canonical."""
    for choice in service.store.choices([each.question.number for each in service.store.cluster(cluster).members]):
        service.store.forget_choice(choice.question, actor=visit.actor)
    return see_other(f"/clusters/{cluster}")


@router.post("/{cluster}/split")
def split(cluster: Id, visit: ReviewerVisit, service: TheService) -> Response:
    """Say that the chosen questions of a cluster ask something else than all others of it."""
    pairs = splitting(service.store.cluster(cluster), visit.numbers("apart"))
    service.store.record_reviews(pairs, Verdict.DIFFERENT, visit.actor, Stratum.CHOSEN)
    return see_other(f"/clusters/{cluster}")


@router.post("/{cluster}/merge")
def merge(cluster: Id, visit: ReviewerVisit, service: TheService) -> Response:
    """Say that the questions of two clusters all ask the same."""
    pairs = merging(service.store.cluster(cluster), service.store.cluster(visit.number("other")))
    service.store.record_reviews(pairs, Verdict.SAME, visit.actor, Stratum.CHOSEN)
    return see_other(f"/clusters/{cluster}")
