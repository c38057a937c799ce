"""What the verdicts are good for: labels to train on, and a classifier that follows them."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from dedup.recalibration import ENOUGH, ENOUGH_OF_EACH, enough_labels
from dedup.reviewing import estimates
from dedup.service.pages.rendering import render
from dedup.service.pages.routing import PageRoute, see_other
from dedup.service.pages.sessions import AdminVisit, ReaderVisit
from dedup.service.routes.labels import labels_csv
from dedup.service.routes.state import TheService

router = APIRouter(prefix="/labels", route_class=PageRoute, include_in_schema=False)


@router.get("")
def labels(request: Request, visit: ReaderVisit, service: TheService, accepted: bool = False) -> Response:
    """Show how many labels there are, and what they say."""
    found = list(service.store.review_labels())
    same = sum(label.duplicate for label in found)
    threshold = service.snapshot.settings.threshold
    return render(
        request,
        visit,
        "labels",
        labels=len(found),
        same=same,
        is_enough=enough_labels(len(found), same),
        enough=ENOUGH,
        enough_of_each=ENOUGH_OF_EACH,
        proposed=service.proposed,
        accepted=accepted,
        estimates=estimates(service.store.reviewed(), threshold),
        threshold=threshold,
    )


@router.get("/labels.csv")
def exported(visit: ReaderVisit, service: TheService) -> Response:
    """Give the labels as a file for `dedup train` and `dedup calibrate`."""
    return labels_csv(service.store)


@router.post("/recalibrate")
def recalibrate(visit: AdminVisit, service: TheService) -> Response:
    """Fit the classifier to the labels, and show it beside the one that is installed."""
    service.recalibrate()
    return see_other("/labels#recalibration")


@router.post("/accept")
def accept(visit: AdminVisit, service: TheService) -> Response:
    """Put the fitted classifier in the place of the installed one."""
    service.accept(visit.text("classifier"), actor=visit.actor)
    return see_other("/labels?accepted=1#recalibration")
