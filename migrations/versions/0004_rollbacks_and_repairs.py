"""Rollbacks and repairs are jobs too, and are in the book of runs.

Revision ID: 0004
Revises: 0001
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

KINDS = "kind IN ('run', 'reindex', 'rollback', 'repair')"


def upgrade() -> None:
    with op.batch_alter_table("runs") as runs:
        runs.drop_constraint(op.f("ck_runs_kind"), type_="check")
        runs.create_check_constraint(op.f("ck_runs_kind"), KINDS)
