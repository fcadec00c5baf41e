"""records of visits, complaints, plan changes, answers at the desk

Revision: 0006, after 0005.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
#: Money counts for a plan by way of a payment of the portal, or by a line of the bank's core.
ONE_SOURCE = "(payment_id IS NULL) <> (line_id IS NULL)"
#: The tables that are new, each after those it points at.
TABLES = (
    "code_answer",
    "network_alarm",
    "retired_code",
    "contact_news",
    "wrong_number",
    "wrong_number_answer",
    "visit_draft",
    "visit_record",
    "visit_answer",
    "complaint",
    "plan_change",
    "complaint_step",
    "payment_paper",
    "dispute_file",
)
#: Columns and indexes that tables of before get.
NEW_COLUMNS = (("agreement", "key_id"), ("hold", "number_digest"), ("notice_face", "networks_allowed"))
NEW_INDEXES = (("hold", "ix_hold_number_digest"), ("notice_seen", "ix_notice_seen_network"))
#: Tables that take new rows only, and the triggers that see to it.
APPEND_ONLY = (
    "plan_change",
    "visit_record",
    "visit_answer",
    "complaint_step",
    "wrong_number_answer",
    "contact_news",
    "payment_paper",
    "code_answer",
    "retired_code",
)
TRIGGERS = (
    {
        "dialect": "sqlite",
        "sql": """CREATE TRIGGER plan_change_no_update BEFORE UPDATE ON plan_change BEGIN SELECT RAISE(ABORT, 'plan_change is append-only'); END""",
    },
    {
        "dialect": "sqlite",
        "sql": """CREATE TRIGGER plan_change_no_delete BEFORE DELETE ON plan_change BEGIN SELECT RAISE(ABORT, 'plan_change is append-only'); END""",
    },
    {
        "dialect": "postgresql",
        "sql": """CREATE FUNCTION plan_change_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'plan_change is append-only'; END $$""",
    },
    {
        "dialect": "postgresql",
        "sql": """CREATE TRIGGER plan_change_append_only BEFORE UPDATE OR DELETE ON plan_change FOR EACH ROW EXECUTE FUNCTION plan_change_append_only()""",
    },
    {
        "dialect": "sqlite",
        "sql": """CREATE TRIGGER visit_record_no_update BEFORE UPDATE ON visit_record BEGIN SELECT RAISE(ABORT, 'visit_record is append-only'); END""",
    },
    {
        "dialect": "sqlite",
        "sql": """CREATE TRIGGER visit_record_no_delete BEFORE DELETE ON visit_record BEGIN SELECT RAISE(ABORT, 'visit_record is append-only'); END""",
    },
    {
        "dialect": "postgresql",
        "sql": """CREATE FUNCTION visit_record_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'visit_record is append-only'; END $$""",
    },
    {
        "dialect": "postgresql",
        "sql": """CREATE TRIGGER visit_record_append_only BEFORE UPDATE OR DELETE ON visit_record FOR EACH ROW EXECUTE FUNCTION visit_record_append_only()""",
    },
    {
        "dialect": "sqlite",
        "sql": """CREATE TRIGGER visit_answer_no_update BEFORE UPDATE ON visit_answer BEGIN SELECT RAISE(ABORT, 'visit_answer is append-only'); END""",
    },
    {
        "dialect": "sqlite",
        "sql": """CREATE TRIGGER visit_answer_no_delete BEFORE DELETE ON visit_answer BEGIN SELECT RAISE(ABORT, 'visit_answer is append-only'); END""",
    },
    {
        "dialect": "postgresql",
        "sql": """CREATE FUNCTION visit_answer_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'visit_answer is append-only'; END $$""",
    },
    {
        "dialect": "postgresql",
        "sql": """CREATE TRIGGER visit_answer_append_only BEFORE UPDATE OR DELETE ON visit_answer FOR EACH ROW EXECUTE FUNCTION visit_answer_append_only()""",
    },
    {
        "dialect": "sqlite",
        "sql": """CREATE TRIGGER complaint_step_no_update BEFORE UPDATE ON complaint_step BEGIN SELECT RAISE(ABORT, 'complaint_step is append-only'); END""",
    },
    {
        "dialect": "sqlite",
        "sql": """CREATE TRIGGER complaint_step_no_delete BEFORE DELETE ON complaint_step BEGIN SELECT RAISE(ABORT, 'complaint_step is append-only'); END""",
    },
    {
        "dialect": "postgresql",
        "sql": """CREATE FUNCTION complaint_step_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'complaint_step is append-only'; END $$""",
    },
    {
        "dialect": "postgresql",
        "sql": """CREATE TRIGGER complaint_step_append_only BEFORE UPDATE OR DELETE ON complaint_step FOR EACH ROW EXECUTE FUNCTION complaint_step_append_only()""",
    },
    {
        "dialect": "sqlite",
        "sql": """CREATE TRIGGER wrong_number_answer_no_update BEFORE UPDATE ON wrong_number_answer BEGIN SELECT RAISE(ABORT, 'wrong_number_answer is append-only'); END""",
    },
    {
        "dialect": "sqlite",
        "sql": """CREATE TRIGGER wrong_number_answer_no_delete BEFORE DELETE ON wrong_number_answer BEGIN SELECT RAISE(ABORT, 'wrong_number_answer is append-only'); END""",
    },
    {
        "dialect": "postgresql",
        "sql": """CREATE FUNCTION wrong_number_answer_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'wrong_number_answer is append-only'; END $$""",
    },
    {
        "dialect": "postgresql",
        "sql": """CREATE TRIGGER wrong_number_answer_append_only BEFORE UPDATE OR DELETE ON wrong_number_answer FOR EACH ROW EXECUTE FUNCTION wrong_number_answer_append_only()""",
    },
    {
        "dialect": "sqlite",
        "sql": """CREATE TRIGGER contact_news_no_update BEFORE UPDATE ON contact_news BEGIN SELECT RAISE(ABORT, 'contact_news is append-only'); END""",
    },
    {
        "dialect": "sqlite",
        "sql": """CREATE TRIGGER contact_news_no_delete BEFORE DELETE ON contact_news BEGIN SELECT RAISE(ABORT, 'contact_news is append-only'); END""",
    },
    {
        "dialect": "postgresql",
        "sql": """CREATE FUNCTION contact_news_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'contact_news is append-only'; END $$""",
    },
    {
        "dialect": "postgresql",
        "sql": """CREATE TRIGGER contact_news_append_only BEFORE UPDATE OR DELETE ON contact_news FOR EACH ROW EXECUTE FUNCTION contact_news_append_only()""",
    },
    {
        "dialect": "sqlite",
        "sql": """CREATE TRIGGER payment_paper_no_update BEFORE UPDATE ON payment_paper BEGIN SELECT RAISE(ABORT, 'payment_paper is append-only'); END""",
    },
    {
        "dialect": "sqlite",
        "sql": """CREATE TRIGGER payment_paper_no_delete BEFORE DELETE ON payment_paper BEGIN SELECT RAISE(ABORT, 'payment_paper is append-only'); END""",
    },
    {
        "dialect": "postgresql",
        "sql": """CREATE FUNCTION payment_paper_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'payment_paper is append-only'; END $$""",
    },
    {
        "dialect": "postgresql",
        "sql": """CREATE TRIGGER payment_paper_append_only BEFORE UPDATE OR DELETE ON payment_paper FOR EACH ROW EXECUTE FUNCTION payment_paper_append_only()""",
    },
    {
        "dialect": "sqlite",
        "sql": """CREATE TRIGGER code_answer_no_update BEFORE UPDATE ON code_answer BEGIN SELECT RAISE(ABORT, 'code_answer is append-only'); END""",
    },
    {
        "dialect": "sqlite",
        "sql": """CREATE TRIGGER code_answer_no_delete BEFORE DELETE ON code_answer BEGIN SELECT RAISE(ABORT, 'code_answer is append-only'); END""",
    },
    {
        "dialect": "postgresql",
        "sql": """CREATE FUNCTION code_answer_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'code_answer is append-only'; END $$""",
    },
    {
        "dialect": "postgresql",
        "sql": """CREATE TRIGGER code_answer_append_only BEFORE UPDATE OR DELETE ON code_answer FOR EACH ROW EXECUTE FUNCTION code_answer_append_only()""",
    },
    {
        "dialect": "sqlite",
        "sql": """CREATE TRIGGER retired_code_no_update BEFORE UPDATE ON retired_code BEGIN SELECT RAISE(ABORT, 'retired_code is append-only'); END""",
    },
    {
        "dialect": "sqlite",
        "sql": """CREATE TRIGGER retired_code_no_delete BEFORE DELETE ON retired_code BEGIN SELECT RAISE(ABORT, 'retired_code is append-only'); END""",
    },
    {
        "dialect": "postgresql",
        "sql": """CREATE FUNCTION retired_code_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'retired_code is append-only'; END $$""",
    },
    {
        "dialect": "postgresql",
        "sql": """CREATE TRIGGER retired_code_append_only BEFORE UPDATE OR DELETE ON retired_code FOR EACH ROW EXECUTE FUNCTION retired_code_append_only()""",
    },
)


def upgrade() -> None:
    make_tables()
    with op.batch_alter_table("plan_receipt") as batch_op:
        batch_op.add_column(sa.Column("line_id", ID, nullable=True))
        batch_op.alter_column("payment_id", existing_type=ID, nullable=True)
        batch_op.create_foreign_key("fk_plan_receipt_line_id", "ledger_line", ["line_id"], ["id"])
        batch_op.create_unique_constraint(
            "uq_plan_receipt_line_id_plan_id_number_turn", ["line_id", "plan_id", "number", "turn"]
        )
        batch_op.create_check_constraint(op.f("ck_plan_receipt_one_source"), ONE_SOURCE)
    name = op.get_bind().dialect.name
    for made in TRIGGERS:
        if made["dialect"] == name:
            op.execute(sa.DDL(made["sql"].replace("%", "%%")))


def make_tables() -> None:
    op.create_table(
        "code_answer",
        sa.Column("id", ID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("subject", sa.String(length=8), nullable=False),
        sa.Column("subject_id", sa.BigInteger(), nullable=False),
        sa.Column("seen", sa.String(length=40), nullable=False),
        sa.Column("action", sa.String(length=8), nullable=False),
        sa.Column("staff_ref", sa.String(length=32), nullable=False),
        sa.Column("note_sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_code_answer")),
        sa.UniqueConstraint(
            "subject", "subject_id", "seen", name=op.f("uq_code_answer_subject_subject_id_seen")
        ),
    )
    op.create_table(
        "network_alarm",
        sa.Column("id", ID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("network_digest", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("alarms", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("quiet_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_network_alarm")),
        sa.UniqueConstraint("network_digest", name=op.f("uq_network_alarm_network_digest")),
    )
    op.create_index("ix_network_alarm_queue", "network_alarm", ["state", "since"], unique=False)

    op.create_table(
        "retired_code",
        sa.Column("id", ID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("notice_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_retired_code")),
    )
    op.create_index(op.f("ix_retired_code_notice_id"), "retired_code", ["notice_id"], unique=False)

    op.create_table(
        "contact_news",
        sa.Column("id", ID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reference", sa.String(length=16), nullable=False),
        sa.Column("borrower_id", ID, nullable=False),
        sa.Column("wish", sa.String(length=20), nullable=False),
        sa.Column("visit_ref", sa.String(length=32), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("calls", sa.Boolean(), nullable=True),
        sa.Column("messages", sa.Boolean(), nullable=True),
        sa.Column("visits", sa.Boolean(), nullable=True),
        sa.Column("opens_minute", sa.BigInteger(), nullable=True),
        sa.Column("closes_minute", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["borrower_id"], ["borrower.id"], name=op.f("fk_contact_news_borrower_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact_news")),
        sa.UniqueConstraint("reference", name=op.f("uq_contact_news_reference")),
    )
    op.create_table(
        "wrong_number",
        sa.Column("id", ID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("borrower_id", ID, nullable=False),
        sa.Column("number_digest", sa.String(length=64), nullable=False),
        sa.Column("tail_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("reports", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["borrower_id"], ["borrower.id"], name=op.f("fk_wrong_number_borrower_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_wrong_number")),
        sa.UniqueConstraint(
            "borrower_id", "number_digest", name=op.f("uq_wrong_number_borrower_id_number_digest")
        ),
    )
    op.create_index("ix_wrong_number_queue", "wrong_number", ["state", "since"], unique=False)

    op.create_table(
        "wrong_number_answer",
        sa.Column("id", ID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("wrong_number_id", ID, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("action", sa.String(length=12), nullable=False),
        sa.Column("staff_ref", sa.String(length=32), nullable=False),
        sa.Column("note_sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["wrong_number_id"], ["wrong_number.id"], name=op.f("fk_wrong_number_answer_wrong_number_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_wrong_number_answer")),
        sa.UniqueConstraint(
            "wrong_number_id", "version", name=op.f("uq_wrong_number_answer_wrong_number_id_version")
        ),
    )
    op.create_table(
        "visit_draft",
        sa.Column("id", ID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("visit_id", ID, nullable=False),
        sa.Column("officer_id", ID, nullable=False),
        sa.Column("content_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["officer_id"], ["officer.id"], name=op.f("fk_visit_draft_officer_id")),
        sa.ForeignKeyConstraint(["visit_id"], ["visit.id"], name=op.f("fk_visit_draft_visit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_visit_draft")),
        sa.UniqueConstraint("visit_id", "officer_id", name=op.f("uq_visit_draft_visit_id_officer_id")),
    )
    op.create_index(op.f("ix_visit_draft_officer_id"), "visit_draft", ["officer_id"], unique=False)

    op.create_table(
        "visit_record",
        sa.Column("id", ID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reference", sa.String(length=16), nullable=False),
        sa.Column("visit_id", ID, nullable=False),
        sa.Column("borrower_id", ID, nullable=False),
        sa.Column("officer_id", ID, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("choices", sa.JSON(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("is_late", sa.Boolean(), nullable=False),
        sa.Column("words_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.Column("signature", sa.String(length=100), nullable=False),
        sa.Column("form_digest", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["borrower_id"], ["borrower.id"], name=op.f("fk_visit_record_borrower_id")),
        sa.ForeignKeyConstraint(["officer_id"], ["officer.id"], name=op.f("fk_visit_record_officer_id")),
        sa.ForeignKeyConstraint(["visit_id"], ["visit.id"], name=op.f("fk_visit_record_visit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_visit_record")),
        sa.UniqueConstraint("form_digest", name=op.f("uq_visit_record_form_digest")),
        sa.UniqueConstraint("reference", name=op.f("uq_visit_record_reference")),
        sa.UniqueConstraint("visit_id", "version", name=op.f("uq_visit_record_visit_id_version")),
    )
    op.create_index(op.f("ix_visit_record_borrower_id"), "visit_record", ["borrower_id"], unique=False)
    op.create_index(op.f("ix_visit_record_officer_id"), "visit_record", ["officer_id"], unique=False)

    op.create_table(
        "visit_answer",
        sa.Column("id", ID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reference", sa.String(length=16), nullable=False),
        sa.Column("visit_id", ID, nullable=False),
        sa.Column("borrower_id", ID, nullable=False),
        sa.Column("record_id", ID, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("confirms", sa.Boolean(), nullable=False),
        sa.Column("items", sa.JSON(), nullable=False),
        sa.Column("ratings", sa.JSON(), nullable=False),
        sa.Column("words_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.Column("signature", sa.String(length=100), nullable=False),
        sa.Column("form_digest", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["borrower_id"], ["borrower.id"], name=op.f("fk_visit_answer_borrower_id")),
        sa.ForeignKeyConstraint(["record_id"], ["visit_record.id"], name=op.f("fk_visit_answer_record_id")),
        sa.ForeignKeyConstraint(["visit_id"], ["visit.id"], name=op.f("fk_visit_answer_visit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_visit_answer")),
        sa.UniqueConstraint("form_digest", name=op.f("uq_visit_answer_form_digest")),
        sa.UniqueConstraint("reference", name=op.f("uq_visit_answer_reference")),
        sa.UniqueConstraint("visit_id", "version", name=op.f("uq_visit_answer_visit_id_version")),
    )
    op.create_index(op.f("ix_visit_answer_borrower_id"), "visit_answer", ["borrower_id"], unique=False)
    op.create_index(op.f("ix_visit_answer_record_id"), "visit_answer", ["record_id"], unique=False)

    op.create_table(
        "complaint",
        sa.Column("id", ID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reference", sa.String(length=16), nullable=False),
        sa.Column("borrower_id", ID, nullable=False),
        sa.Column("about", sa.String(length=16), nullable=False),
        sa.Column("visit_id", ID, nullable=True),
        sa.Column("contact_id", ID, nullable=True),
        sa.Column("loan_id", ID, nullable=True),
        sa.Column("answer_id", ID, nullable=True),
        sa.Column("points", sa.JSON(), nullable=False),
        sa.Column("is_conduct", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("track", sa.String(length=8), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.String(length=12), nullable=False),
        sa.Column("taken_by", sa.String(length=32), nullable=False),
        sa.Column("asked_by", sa.String(length=32), nullable=False),
        sa.Column("form_digest", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["answer_id"], ["visit_answer.id"], name=op.f("fk_complaint_answer_id")),
        sa.ForeignKeyConstraint(["borrower_id"], ["borrower.id"], name=op.f("fk_complaint_borrower_id")),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name=op.f("fk_complaint_contact_id")),
        sa.ForeignKeyConstraint(["loan_id"], ["loan.id"], name=op.f("fk_complaint_loan_id")),
        sa.ForeignKeyConstraint(["visit_id"], ["visit.id"], name=op.f("fk_complaint_visit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_complaint")),
        sa.UniqueConstraint("answer_id", name=op.f("uq_complaint_answer_id")),
        sa.UniqueConstraint("form_digest", name=op.f("uq_complaint_form_digest")),
        sa.UniqueConstraint("reference", name=op.f("uq_complaint_reference")),
    )
    op.create_index(op.f("ix_complaint_borrower_id"), "complaint", ["borrower_id"], unique=False)
    op.create_index(op.f("ix_complaint_contact_id"), "complaint", ["contact_id"], unique=False)
    op.create_index(op.f("ix_complaint_loan_id"), "complaint", ["loan_id"], unique=False)
    op.create_index("ix_complaint_queue", "complaint", ["state", "due_on"], unique=False)
    op.create_index(op.f("ix_complaint_visit_id"), "complaint", ["visit_id"], unique=False)

    op.create_table(
        "plan_change",
        sa.Column("id", ID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reference", sa.String(length=20), nullable=False),
        sa.Column("plan_id", ID, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("schedule_text", sa.Text(), nullable=False),
        sa.Column("schedule_hash", sa.String(length=64), nullable=False),
        sa.Column("form_key", sa.String(length=64), nullable=False),
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.Column("signature", sa.String(length=128), nullable=False),
        sa.ForeignKeyConstraint(["plan_id"], ["plan.id"], name=op.f("fk_plan_change_plan_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plan_change")),
        sa.UniqueConstraint("plan_id", "form_key", name=op.f("uq_plan_change_plan_id_form_key")),
        sa.UniqueConstraint("plan_id", "number", name=op.f("uq_plan_change_plan_id_number")),
        sa.UniqueConstraint("reference", name=op.f("uq_plan_change_reference")),
    )
    op.create_table(
        "complaint_step",
        sa.Column("id", ID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("complaint_id", ID, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("action", sa.String(length=12), nullable=False),
        sa.Column("staff_ref", sa.String(length=32), nullable=False),
        sa.Column("outcome", sa.String(length=12), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("words_sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["complaint_id"], ["complaint.id"], name=op.f("fk_complaint_step_complaint_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_complaint_step")),
        sa.UniqueConstraint("complaint_id", "version", name=op.f("uq_complaint_step_complaint_id_version")),
    )
    op.create_table(
        "payment_paper",
        sa.Column("id", ID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reference", sa.String(length=20), nullable=False),
        sa.Column("payment_id", ID, nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.Column("signature", sa.String(length=128), nullable=False),
        sa.ForeignKeyConstraint(["payment_id"], ["payment.id"], name=op.f("fk_payment_paper_payment_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_paper")),
        sa.UniqueConstraint("payment_id", "kind", name=op.f("uq_payment_paper_payment_id_kind")),
        sa.UniqueConstraint("reference", name=op.f("uq_payment_paper_reference")),
    )
    op.create_table(
        "dispute_file",
        sa.Column("id", ID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reference", sa.String(length=20), nullable=False),
        sa.Column("dispute_id", ID, nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("name_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("media_type", sa.String(length=32), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("content_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("provider_file", sa.String(length=120), nullable=True),
        sa.Column("staff_id", ID, nullable=False),
        sa.ForeignKeyConstraint(["dispute_id"], ["dispute.id"], name=op.f("fk_dispute_file_dispute_id")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_dispute_file_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dispute_file")),
        sa.UniqueConstraint("dispute_id", "kind", name=op.f("uq_dispute_file_dispute_id_kind")),
        sa.UniqueConstraint("provider_file", name=op.f("uq_dispute_file_provider_file")),
        sa.UniqueConstraint("reference", name=op.f("uq_dispute_file_reference")),
    )
    op.add_column("agreement", sa.Column("key_id", sa.String(length=16), nullable=True))

    op.add_column("hold", sa.Column("number_digest", sa.String(length=64), server_default="", nullable=False))
    op.create_index(op.f("ix_hold_number_digest"), "hold", ["number_digest"], unique=False)

    op.add_column(
        "notice_face", sa.Column("networks_allowed", sa.BigInteger(), server_default="0", nullable=False)
    )

    op.create_index("ix_notice_seen_network", "notice_seen", ["network_digest", "hour"], unique=False)


def downgrade() -> None:
    op.execute("DELETE FROM plan_receipt WHERE payment_id IS NULL")
    with op.batch_alter_table("plan_receipt") as batch_op:
        batch_op.drop_constraint(op.f("ck_plan_receipt_one_source"), type_="check")
        batch_op.drop_constraint("uq_plan_receipt_line_id_plan_id_number_turn", type_="unique")
        batch_op.drop_constraint("fk_plan_receipt_line_id", type_="foreignkey")
        batch_op.alter_column("payment_id", existing_type=ID, nullable=False)
        batch_op.drop_column("line_id")
    for table, index in reversed(NEW_INDEXES):
        op.drop_index(index, table_name=table)
    for table, column in reversed(NEW_COLUMNS):
        op.drop_column(table, column)
    for table in reversed(TABLES):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        for table in APPEND_ONLY:
            op.execute(f"DROP FUNCTION {table}_append_only()")
