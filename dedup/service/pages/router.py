"""All pages."""

from __future__ import annotations

from fastapi import APIRouter

from dedup.service.pages import account, clusters, labels, review, runs, search

router = APIRouter()
for pages in (account, search, review, clusters, runs, labels):
    router.include_router(pages.router)
