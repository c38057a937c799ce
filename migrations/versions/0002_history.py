"""What became of clusters and pairs from run to run; ids that no cluster has twice.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("corpus") as corpus:
        corpus.add_column(sa.Column("next_cluster", sa.Integer(), nullable=False, server_default="1"))
    op.execute("UPDATE corpus SET next_cluster = 1 + coalesce((SELECT max(id) FROM clusters), 0)")
    op.create_table(
        "pair_events",
        sa.Column("run_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("left_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("right_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("duplicate", sa.Boolean(), nullable=False),
        sa.CheckConstraint("left_id < right_id", name=op.f("ck_pair_events_order")),
        sa.PrimaryKeyConstraint("run_id", "left_id", "right_id", name=op.f("pk_pair_events")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "cluster_events",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("cluster_id", sa.Integer(), nullable=False),
        sa.Column("into_id", sa.Integer(), nullable=True),
        sa.Column("left_id", sa.BigInteger(), nullable=True),
        sa.Column("right_id", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("kind IN ('merged', 'split', 'gone')", name=op.f("ck_cluster_events_kind")),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_cluster_events_run_id_runs")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cluster_events")),
    )
    for column in ("run_id", "cluster_id", "into_id"):
        op.create_index(op.f(f"ix_cluster_events_{column}"), "cluster_events", [column])


def downgrade() -> None:
    op.drop_table("cluster_events")
    op.drop_table("pair_events")
    with op.batch_alter_table("corpus") as corpus:
        corpus.drop_column("next_cluster")
