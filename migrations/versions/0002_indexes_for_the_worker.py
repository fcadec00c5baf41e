"""indexes for what the worker asks all the time, and for a borrower's closed cases

Revision: 0002, after 0001.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_message_state", table_name="message")
    op.create_index("ix_message_queue", "message", ["state", sa.text("asked_for DESC"), "id"])
    op.create_index("ix_negotiation_borrower_id", "negotiation", ["borrower_id"])
    op.create_index("ix_proposal_lapsing", "proposal", ["state", "lapses_at"])
    op.create_index("ix_hold_source", "hold", ["source"])
    op.create_index("ix_document_state", "document", ["state", "id"])


def downgrade() -> None:
    op.drop_index("ix_document_state", table_name="document")
    op.drop_index("ix_hold_source", table_name="hold")
    op.drop_index("ix_proposal_lapsing", table_name="proposal")
    op.drop_index("ix_negotiation_borrower_id", table_name="negotiation")
    op.drop_index("ix_message_queue", table_name="message")
    op.create_index("ix_message_state", "message", ["state", "lease_until"])
