"""genuine or not: texts as sent, contacts and their rule, officers and visits, fakes

Revision: 0005, after 0004.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
#: The tables that are new, each after those it points at.
TABLES = (
    "fake_group",
    "wording",
    "contact_wish",
    "fake_decision",
    "fake_report",
    "no_visits",
    "notice_text",
    "contact",
    "fake_key",
    "fake_picture",
    "contact_breach",
)
#: Columns and indexes that tables of before get.
NEW_COLUMNS = (
    ("agency", "revoked_at"),
    ("message", "not_before"),
    ("notice_face", "copied_at"),
    ("officer", "revoked_at"),
    ("officer", "photo_ref"),
    ("visit", "moved_from"),
    ("visit", "place_asked_sealed"),
)
NEW_INDEXES = (("visit", "ix_visit_lead"), ("visit", "ix_visit_notice"), ("visit", "ix_visit_second"))
#: Tables that take new rows only, and the triggers that see to it.
APPEND_ONLY = ("fake_decision", "contact", "contact_wish")
TRIGGERS = (
    {
        "dialect": "sqlite",
        "sql": """CREATE TRIGGER fake_decision_no_update BEFORE UPDATE ON fake_decision BEGIN SELECT RAISE(ABORT, 'fake_decision is append-only'); END""",
    },
    {
        "dialect": "sqlite",
        "sql": """CREATE TRIGGER fake_decision_no_delete BEFORE DELETE ON fake_decision BEGIN SELECT RAISE(ABORT, 'fake_decision is append-only'); END""",
    },
    {
        "dialect": "postgresql",
        "sql": """CREATE FUNCTION fake_decision_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'fake_decision is append-only'; END $$""",
    },
    {
        "dialect": "postgresql",
        "sql": """CREATE TRIGGER fake_decision_append_only BEFORE UPDATE OR DELETE ON fake_decision FOR EACH ROW EXECUTE FUNCTION fake_decision_append_only()""",
    },
    {
        "dialect": "sqlite",
        "sql": """CREATE TRIGGER contact_no_update BEFORE UPDATE ON contact BEGIN SELECT RAISE(ABORT, 'contact is append-only'); END""",
    },
    {
        "dialect": "sqlite",
        "sql": """CREATE TRIGGER contact_no_delete BEFORE DELETE ON contact WHEN NOT (OLD.source = 'core'
    AND EXISTS (SELECT 1 FROM intake_batch b WHERE b.state = 'undoing')) BEGIN SELECT RAISE(ABORT, 'contact is append-only'); END""",
    },
    {
        "dialect": "postgresql",
        "sql": """CREATE FUNCTION contact_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF TG_OP = 'DELETE' AND (OLD.source = 'core'
    AND EXISTS (SELECT 1 FROM intake_batch b WHERE b.state = 'undoing')) THEN RETURN OLD; END IF; RAISE EXCEPTION 'contact is append-only'; END $$""",
    },
    {
        "dialect": "postgresql",
        "sql": """CREATE TRIGGER contact_append_only BEFORE UPDATE OR DELETE ON contact FOR EACH ROW EXECUTE FUNCTION contact_append_only()""",
    },
    {
        "dialect": "sqlite",
        "sql": """CREATE TRIGGER contact_wish_no_update BEFORE UPDATE ON contact_wish BEGIN SELECT RAISE(ABORT, 'contact_wish is append-only'); END""",
    },
    {
        "dialect": "sqlite",
        "sql": """CREATE TRIGGER contact_wish_no_delete BEFORE DELETE ON contact_wish BEGIN SELECT RAISE(ABORT, 'contact_wish is append-only'); END""",
    },
    {
        "dialect": "postgresql",
        "sql": """CREATE FUNCTION contact_wish_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'contact_wish is append-only'; END $$""",
    },
    {
        "dialect": "postgresql",
        "sql": """CREATE TRIGGER contact_wish_append_only BEFORE UPDATE OR DELETE ON contact_wish FOR EACH ROW EXECUTE FUNCTION contact_wish_append_only()""",
    },
)


def upgrade() -> None:
    make_tables()
    name = op.get_bind().dialect.name
    for made in TRIGGERS:
        if made["dialect"] == name:
            op.execute(sa.DDL(made["sql"].replace("%", "%%")))


def make_tables() -> None:
    op.create_table(
        "fake_group",
        sa.Column("id", ID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("reports", sa.BigInteger(), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("warned_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("warning_text", sa.Text(), nullable=False),
        sa.Column("warning_links", sa.JSON(), nullable=False),
        sa.Column("warning_numbers", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fake_group")),
    )
    op.create_index("ix_fake_group_queue", "fake_group", ["state", "last_at"], unique=False)

    op.create_table(
        "wording",
        sa.Column("id", ID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_wording")),
        sa.UniqueConstraint("digest", name=op.f("uq_wording_digest")),
    )
    op.create_table(
        "contact_wish",
        sa.Column("id", ID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("borrower_id", ID, nullable=False),
        sa.Column("no_calls", sa.Boolean(), nullable=False),
        sa.Column("no_messages", sa.Boolean(), nullable=False),
        sa.Column("no_visits", sa.Boolean(), nullable=False),
        sa.Column("opens_minute", sa.BigInteger(), nullable=True),
        sa.Column("closes_minute", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["borrower_id"], ["borrower.id"], name=op.f("fk_contact_wish_borrower_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact_wish")),
    )
    op.create_index(op.f("ix_contact_wish_borrower_id"), "contact_wish", ["borrower_id"], unique=False)

    op.create_table(
        "fake_decision",
        sa.Column("id", ID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("group_id", ID, nullable=False),
        sa.Column("action", sa.String(length=12), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("reports", sa.BigInteger(), nullable=False),
        sa.Column("staff_ref", sa.String(length=32), nullable=False),
        sa.Column("note_sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["group_id"], ["fake_group.id"], name=op.f("fk_fake_decision_group_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fake_decision")),
    )
    op.create_index(op.f("ix_fake_decision_group_id"), "fake_decision", ["group_id"], unique=False)
    op.create_index("uq_fake_decision_version", "fake_decision", ["group_id", "version"], unique=True)

    op.create_table(
        "fake_report",
        sa.Column("id", ID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reference", sa.String(length=16), nullable=False),
        sa.Column("form_digest", sa.String(length=64), nullable=False),
        sa.Column("group_id", ID, nullable=False),
        sa.Column("text_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("number_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("link_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("network_digest", sa.String(length=64), nullable=False),
        sa.Column("likeness_digest", sa.String(length=64), nullable=False),
        sa.Column("sketch", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["group_id"], ["fake_group.id"], name=op.f("fk_fake_report_group_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fake_report")),
        sa.UniqueConstraint("form_digest", name=op.f("uq_fake_report_form_digest")),
        sa.UniqueConstraint("reference", name=op.f("uq_fake_report_reference")),
    )
    op.create_index(op.f("ix_fake_report_group_id"), "fake_report", ["group_id"], unique=False)
    op.create_index(op.f("ix_fake_report_likeness_digest"), "fake_report", ["likeness_digest"], unique=False)

    op.create_table(
        "no_visits",
        sa.Column("id", ID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("borrower_id", ID, nullable=False),
        sa.Column("lifted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["borrower_id"], ["borrower.id"], name=op.f("fk_no_visits_borrower_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_no_visits")),
    )
    op.create_index(
        "uq_no_visits_in_force",
        "no_visits",
        ["borrower_id"],
        unique=True,
        sqlite_where=sa.text("lifted_at IS NULL"),
        postgresql_where=sa.text("lifted_at IS NULL"),
    )

    op.create_table(
        "notice_text",
        sa.Column("notice_id", ID, autoincrement=False, nullable=False),
        sa.Column("form", sa.String(length=8), nullable=False),
        sa.Column("wording_id", ID, nullable=False),
        sa.Column("digests", sa.Text(), nullable=False),
        sa.Column("sender_digest", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["wording_id"], ["wording.id"], name=op.f("fk_notice_text_wording_id")),
        sa.PrimaryKeyConstraint("notice_id", "form", name=op.f("pk_notice_text")),
    )
    op.create_index(op.f("ix_notice_text_wording_id"), "notice_text", ["wording_id"], unique=False)

    op.create_table(
        "contact",
        sa.Column("id", ID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("borrower_id", ID, nullable=False),
        sa.Column("source", sa.String(length=8), nullable=False),
        sa.Column("source_ref", sa.String(length=80), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("direction", sa.String(length=4), nullable=False),
        sa.Column("party", sa.String(length=8), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("outcome", sa.String(length=12), nullable=False),
        sa.Column("number_digest", sa.String(length=64), nullable=False),
        sa.Column("tail_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("agency_id", ID, nullable=True),
        sa.Column("officer_ref", sa.String(length=16), nullable=False),
        sa.Column("notice_id", ID, nullable=True),
        sa.Column("asked_for", sa.Boolean(), nullable=False),
        sa.Column("pressing", sa.Boolean(), nullable=False),
        sa.Column("content_digest", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["agency_id"], ["agency.id"], name=op.f("fk_contact_agency_id")),
        sa.ForeignKeyConstraint(["borrower_id"], ["borrower.id"], name=op.f("fk_contact_borrower_id")),
        sa.ForeignKeyConstraint(["notice_id"], ["notice.id"], name=op.f("fk_contact_notice_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact")),
        sa.UniqueConstraint("source_ref", name=op.f("uq_contact_source_ref")),
    )
    op.create_index("ix_contact_borrower", "contact", ["borrower_id", "at"], unique=False)

    op.create_table(
        "fake_key",
        sa.Column("key_digest", sa.String(length=64), nullable=False),
        sa.Column("report_id", ID, nullable=False),
        sa.Column("strong", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["report_id"], ["fake_report.id"], name=op.f("fk_fake_key_report_id")),
        sa.PrimaryKeyConstraint("key_digest", "report_id", name=op.f("pk_fake_key")),
    )
    op.create_index(op.f("ix_fake_key_report_id"), "fake_key", ["report_id"], unique=False)

    op.create_table(
        "fake_picture",
        sa.Column("report_id", ID, autoincrement=False, nullable=False),
        sa.Column("jpeg_sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["report_id"], ["fake_report.id"], name=op.f("fk_fake_picture_report_id")),
        sa.PrimaryKeyConstraint("report_id", name=op.f("pk_fake_picture")),
    )
    op.create_table(
        "contact_breach",
        sa.Column("id", ID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("contact_id", ID, nullable=False),
        sa.Column("borrower_id", ID, nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("detail", sa.String(length=24), nullable=False),
        sa.Column("source", sa.String(length=200), nullable=False),
        sa.Column("over", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("note_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("worked_by", sa.String(length=32), nullable=False),
        sa.Column("worked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["borrower_id"], ["borrower.id"], name=op.f("fk_contact_breach_borrower_id")),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name=op.f("fk_contact_breach_contact_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact_breach")),
        sa.UniqueConstraint("contact_id", "kind", name=op.f("uq_contact_breach_contact_id_kind")),
    )
    op.create_index(op.f("ix_contact_breach_borrower_id"), "contact_breach", ["borrower_id"], unique=False)
    op.create_index("ix_contact_breach_queue", "contact_breach", ["state", "id"], unique=False)

    op.add_column("agency", sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True))

    op.add_column("message", sa.Column("not_before", sa.DateTime(timezone=True), nullable=True))

    op.add_column("notice_face", sa.Column("copied_at", sa.DateTime(timezone=True), nullable=True))

    op.add_column("officer", sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("officer", sa.Column("photo_ref", sa.String(length=64), nullable=True))

    op.add_column("visit", sa.Column("moved_from", sa.DateTime(timezone=True), nullable=True))
    op.add_column("visit", sa.Column("place_asked_sealed", sa.LargeBinary(), nullable=True))
    op.create_index("ix_visit_lead", "visit", ["lead_officer_id", "starts_at"], unique=False)
    op.create_index("ix_visit_notice", "visit", ["notice_id"], unique=False)
    op.create_index("ix_visit_second", "visit", ["second_officer_id", "starts_at"], unique=False)


def downgrade() -> None:
    for table, index in reversed(NEW_INDEXES):
        op.drop_index(index, table_name=table)
    for table, column in reversed(NEW_COLUMNS):
        op.drop_column(table, column)
    for table in reversed(TABLES):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        for table in APPEND_ONLY:
            op.execute(f"DROP FUNCTION {table}_append_only()")
