"""Clusters are found by their canonical question: without that, deleting a question looked at every cluster.

Revision ID: 0006
Revises: 0005
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(op.f("ix_clusters_canonical_id"), "clusters", ["canonical_id"])
