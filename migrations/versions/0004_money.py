"""money: corrections, refunds, disputes, other payers, the provider's day, files out to the core, papers

Revision: 0004, after 0003.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
STANDS = sa.text("state <> 'undone'")
#: The tables that are new, each after those it points at.
TABLES = (
    "intake_run",
    "outgoing_batch",
    "outgoing_entry",
    "paper_face",
    "provider_mark",
    "provider_movement",
    "reconciliation_run",
    "intake_before",
    "outgoing_row",
    "reconciliation_difference",
    "withdrawn_line",
    "difference_note",
    "loan_rate",
    "certificate",
    "pay_link",
    "agreement_paper",
    "refund",
    "saved_method",
    "dispute",
    "incoming_transfer",
    "instalment_charge",
    "suspense_move",
)
#: Tables that take new rows only.
APPEND_ONLY = ("paper_face", "withdrawn_line", "difference_note", "certificate", "agreement_paper")
#: What a balance row can no longer say: more taken back than was paid.
BALANCE_CHECKS = (
    ("cost_paid", "cost_paid_minor >= 0 AND cost_forgiven_minor >= 0"),
    ("fee_paid", "fee_paid_minor >= 0 AND fee_forgiven_minor >= 0"),
    ("penalty_interest_paid", "penalty_interest_paid_minor >= 0 AND penalty_interest_forgiven_minor >= 0"),
    ("interest_paid", "interest_paid_minor >= 0 AND interest_forgiven_minor >= 0"),
    ("principal_paid", "principal_paid_minor >= 0 AND principal_forgiven_minor >= 0"),
    ("suspense", "suspense_minor >= 0"),
)
#: Columns of tables that were there before, with what they are for the rows there are.
NEW_COLUMNS = (
    ("borrower", sa.Column("phone_changed_at", sa.DateTime(timezone=True), nullable=True)),
    ("intake_batch", sa.Column("state", sa.String(length=12), nullable=False, server_default="applied")),
    ("intake_batch", sa.Column("marks", sa.JSON(), nullable=False, server_default="{}")),
    ("intake_batch", sa.Column("applied_by", sa.String(length=48), nullable=False, server_default="")),
    ("intake_batch", sa.Column("released_by", sa.String(length=48), nullable=False, server_default="")),
    ("intake_batch", sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True)),
    ("loan", sa.Column("rounding", sa.String(length=12), nullable=False, server_default="half_up")),
    ("loan", sa.Column("unit_minor", sa.BigInteger(), nullable=False, server_default="1")),
    ("loan", sa.Column("compounding", sa.String(length=12), nullable=False, server_default="simple")),
    ("payment", sa.Column("paid_with", sa.String(length=16), nullable=False, server_default="")),
    ("payment", sa.Column("extra_choice", sa.String(length=8), nullable=True)),
    ("payment", sa.Column("asked_minor", sa.BigInteger(), nullable=True)),
    ("plan", sa.Column("extra_choice", sa.String(length=8), nullable=False, server_default="next")),
    ("plan_receipt", sa.Column("turn", sa.BigInteger(), nullable=False, server_default="0")),
    ("provider_event", sa.Column("money_id", sa.String(length=120), nullable=True)),
    ("unplaced_money", sa.Column("method", sa.String(length=16), nullable=False, server_default="stripe")),
)
#: An agreement's day is that of the bank's zone.
FACES = {
    "sqlite": "INSERT INTO paper_face (reference, issued_on, digest) "
    "SELECT reference, date(created_at, '+8 hours'), content_hash FROM agreement",
    "postgresql": "INSERT INTO paper_face (reference, issued_on, digest) "
    "SELECT reference, (created_at AT TIME ZONE 'Asia/Shanghai')::date, content_hash FROM agreement",
}
#: A line leaves the ledger only while its batch is undone; what is taken back stays within what was paid.
LEDGER_TRIGGERS = (
    {
        "dialect": "sqlite",
        "sql": """CREATE TRIGGER ledger_line_no_update BEFORE UPDATE ON ledger_line BEGIN SELECT RAISE(ABORT, 'ledger_line is append-only'); END""",
    },
    {
        "dialect": "sqlite",
        "sql": """CREATE TRIGGER ledger_line_no_delete BEFORE DELETE ON ledger_line WHEN NOT EXISTS (SELECT 1 FROM withdrawn_line w JOIN intake_batch b ON b.id = w.batch_id
    WHERE w.line_id = OLD.id AND b.state = 'undoing') BEGIN SELECT RAISE(ABORT, 'ledger_line is append-only'); END""",
    },
    {
        "dialect": "postgresql",
        "sql": """CREATE FUNCTION ledger_line_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF TG_OP = 'DELETE' AND EXISTS (SELECT 1 FROM withdrawn_line w JOIN intake_batch b ON b.id = w.batch_id
    WHERE w.line_id = OLD.id AND b.state = 'undoing') THEN RETURN OLD; END IF; RAISE EXCEPTION 'ledger_line is append-only'; END $$""",
    },
    {
        "dialect": "postgresql",
        "sql": """CREATE TRIGGER ledger_line_append_only BEFORE UPDATE OR DELETE ON ledger_line FOR EACH ROW EXECUTE FUNCTION ledger_line_append_only()""",
    },
    {
        "dialect": "sqlite",
        "sql": """CREATE TRIGGER ledger_line_taken BEFORE INSERT ON ledger_line WHEN NEW.kind IN ('charge_back', 'refund') BEGIN SELECT RAISE(ABORT, 'more taken back than was paid') WHERE NOT EXISTS (
        SELECT 1 FROM ledger_line AS p
        LEFT JOIN ledger_line AS t ON t.of_line_id = p.id AND t.kind IN ('charge_back', 'refund')
            AND NOT EXISTS (SELECT 1 FROM ledger_line AS r
                WHERE r.reverses_id = t.id AND NOT (r.line_ref LIKE 'back-%' AND r.external_ref <> ''))
        WHERE p.id = NEW.of_line_id AND p.loan_id = NEW.loan_id AND p.kind = 'payment'
        GROUP BY p.id, p.cost_minor, p.fee_minor, p.penalty_interest_minor, p.interest_minor, p.principal_minor, p.suspense_minor
        HAVING coalesce(sum(t.cost_minor), 0) + NEW.cost_minor <= -p.cost_minor AND coalesce(sum(t.fee_minor), 0) + NEW.fee_minor <= -p.fee_minor AND coalesce(sum(t.penalty_interest_minor), 0) + NEW.penalty_interest_minor <= -p.penalty_interest_minor AND coalesce(sum(t.interest_minor), 0) + NEW.interest_minor <= -p.interest_minor AND coalesce(sum(t.principal_minor), 0) + NEW.principal_minor <= -p.principal_minor AND coalesce(sum(t.suspense_minor), 0) + NEW.suspense_minor <= -p.suspense_minor
            AND NEW.cost_minor >= 0 AND NEW.fee_minor >= 0 AND NEW.penalty_interest_minor >= 0 AND NEW.interest_minor >= 0 AND NEW.principal_minor >= 0 AND NEW.suspense_minor >= 0); END""",
    },
    {
        "dialect": "postgresql",
        "sql": """CREATE FUNCTION ledger_line_taken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM 1 FROM loan_balance WHERE loan_id = NEW.loan_id FOR UPDATE; IF NOT EXISTS (
        SELECT 1 FROM ledger_line AS p
        LEFT JOIN ledger_line AS t ON t.of_line_id = p.id AND t.kind IN ('charge_back', 'refund')
            AND NOT EXISTS (SELECT 1 FROM ledger_line AS r
                WHERE r.reverses_id = t.id AND NOT (r.line_ref LIKE 'back-%' AND r.external_ref <> ''))
        WHERE p.id = NEW.of_line_id AND p.loan_id = NEW.loan_id AND p.kind = 'payment'
        GROUP BY p.id, p.cost_minor, p.fee_minor, p.penalty_interest_minor, p.interest_minor, p.principal_minor, p.suspense_minor
        HAVING coalesce(sum(t.cost_minor), 0) + NEW.cost_minor <= -p.cost_minor AND coalesce(sum(t.fee_minor), 0) + NEW.fee_minor <= -p.fee_minor AND coalesce(sum(t.penalty_interest_minor), 0) + NEW.penalty_interest_minor <= -p.penalty_interest_minor AND coalesce(sum(t.interest_minor), 0) + NEW.interest_minor <= -p.interest_minor AND coalesce(sum(t.principal_minor), 0) + NEW.principal_minor <= -p.principal_minor AND coalesce(sum(t.suspense_minor), 0) + NEW.suspense_minor <= -p.suspense_minor
            AND NEW.cost_minor >= 0 AND NEW.fee_minor >= 0 AND NEW.penalty_interest_minor >= 0 AND NEW.interest_minor >= 0 AND NEW.principal_minor >= 0 AND NEW.suspense_minor >= 0) THEN RAISE EXCEPTION 'more taken back than was paid' USING ERRCODE = '23514'; END IF; RETURN NEW; END $$""",
    },
    {
        "dialect": "postgresql",
        "sql": """CREATE TRIGGER ledger_line_taken BEFORE INSERT ON ledger_line FOR EACH ROW WHEN (NEW.kind IN ('charge_back', 'refund')) EXECUTE FUNCTION ledger_line_taken()""",
    },
)
#: As they were, for the way back.
LEDGER_TRIGGERS_BEFORE = (
    {
        "dialect": "sqlite",
        "sql": """CREATE TRIGGER ledger_line_no_update BEFORE UPDATE ON ledger_line BEGIN SELECT RAISE(ABORT, 'ledger_line is append-only'); END""",
    },
    {
        "dialect": "sqlite",
        "sql": """CREATE TRIGGER ledger_line_no_delete BEFORE DELETE ON ledger_line BEGIN SELECT RAISE(ABORT, 'ledger_line is append-only'); END""",
    },
    {
        "dialect": "postgresql",
        "sql": """CREATE FUNCTION ledger_line_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'ledger_line is append-only'; END $$""",
    },
    {
        "dialect": "postgresql",
        "sql": """CREATE TRIGGER ledger_line_append_only BEFORE UPDATE OR DELETE ON ledger_line FOR EACH ROW EXECUTE FUNCTION ledger_line_append_only()""",
    },
)


def append_only(table: str) -> list[str]:
    """The triggers of one append-only table."""
    if op.get_bind().dialect.name == "sqlite":
        return [
            f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            for verb in ("UPDATE", "DELETE")
        ]
    return [
        f"CREATE FUNCTION {table}_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ "
        f"BEGIN RAISE EXCEPTION '{table} is append-only'; END $$",
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION {table}_append_only()",
    ]


def reference(table: str, column: str, to: str) -> None:
    """A nullable column that points at another table. Plain SQL on SQLite: Alembic's way of copying the
    table would drop its triggers without a word."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            f"ALTER TABLE {table} ADD COLUMN {column} INTEGER CONSTRAINT fk_{table}_{column} REFERENCES {to} (id)"
        )
        return
    op.add_column(table, sa.Column(column, sa.BigInteger(), nullable=True))
    op.create_foreign_key(f"fk_{table}_{column}", table, to, [column], ["id"])


def set_ledger_triggers(statements: tuple[dict[str, str], ...]) -> None:
    """The ledger's triggers, in place of those there are."""
    name = op.get_bind().dialect.name
    drops = {
        "sqlite": [
            f"DROP TRIGGER IF EXISTS ledger_line_{end}" for end in ("no_update", "no_delete", "taken")
        ],
        "postgresql": [
            f"DROP {kind} IF EXISTS ledger_line_{end}{tail} CASCADE"
            for end in ("append_only", "taken")
            for kind, tail in (("FUNCTION", "()"),)
        ],
    }
    for statement in drops[name]:
        op.execute(statement)
    for made in statements:
        if made["dialect"] == name:
            op.execute(sa.DDL(made["sql"].replace("%", "%%")))


def upgrade() -> None:
    make_tables()
    change_tables()


def make_tables() -> None:
    op.create_table(
        "intake_run",
        sa.Column("id", ID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("bank", sa.String(length=32), nullable=False),
        sa.Column("batch_ref", sa.String(length=48), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("business_date", sa.Date(), nullable=True),
        sa.Column("manifest_sha256", sa.String(length=64), nullable=False),
        sa.Column("mapping", sa.String(length=48), nullable=False),
        sa.Column("directory", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("findings", sa.JSON(), nullable=False),
        sa.Column("fault_count", sa.BigInteger(), nullable=False),
        sa.Column("faults", sa.JSON(), nullable=False),
        sa.Column("asked_by", sa.String(length=48), nullable=False),
        sa.Column("decided_by", sa.String(length=48), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_intake_run")),
    )
    op.create_index(
        "uq_intake_run_waiting",
        "intake_run",
        ["manifest_sha256"],
        unique=True,
        sqlite_where=sa.text("state IN ('held', 'released')"),
        postgresql_where=sa.text("state IN ('held', 'released')"),
    )

    op.create_table(
        "outgoing_batch",
        sa.Column("id", ID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("batch_ref", sa.String(length=48), nullable=False),
        sa.Column("bank", sa.String(length=32), nullable=False),
        sa.Column("business_date", sa.Date(), nullable=False),
        sa.Column("demonstration", sa.Boolean(), nullable=False),
        sa.Column("mapping_text", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("manifest_sha256", sa.String(length=64), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answer_sha256", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outgoing_batch")),
        sa.UniqueConstraint("sequence", name=op.f("uq_outgoing_batch_sequence")),
    )
    op.create_index(op.f("ix_outgoing_batch_state"), "outgoing_batch", ["state"], unique=False)

    op.create_table(
        "outgoing_entry",
        sa.Column("id", ID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("subject_id", sa.BigInteger(), nullable=False),
        sa.Column("event", sa.String(length=8), nullable=False),
        sa.Column("entry_ref", sa.String(length=64), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outgoing_entry")),
        sa.UniqueConstraint("entry_ref", name=op.f("uq_outgoing_entry_entry_ref")),
        sa.UniqueConstraint(
            "kind", "subject_id", "event", name=op.f("uq_outgoing_entry_kind_subject_id_event")
        ),
    )
    op.create_index("ix_outgoing_entry_state", "outgoing_entry", ["state", "due_at"], unique=False)

    op.create_table(
        "paper_face",
        sa.Column("reference", sa.String(length=20), nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("reference", name=op.f("pk_paper_face")),
    )
    op.create_table(
        "provider_mark",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("read_until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_provider_mark")),
    )
    op.create_table(
        "provider_movement",
        sa.Column("movement_id", sa.String(length=120), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("key", sa.String(length=120), nullable=False),
        sa.Column("gross_minor", sa.BigInteger(), nullable=False),
        sa.Column("fee_minor", sa.BigInteger(), nullable=False),
        sa.Column("net_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("moved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("movement_id", name=op.f("pk_provider_movement")),
    )
    op.create_index("ix_provider_movement_day", "provider_movement", ["day", "currency"], unique=False)
    op.create_index(op.f("ix_provider_movement_key"), "provider_movement", ["key"], unique=False)

    op.create_table(
        "reconciliation_run",
        sa.Column("id", ID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("ran_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("runs", sa.BigInteger(), nullable=False),
        sa.Column("matched", sa.BigInteger(), nullable=False),
        sa.Column("at_core", sa.BigInteger(), nullable=False),
        sa.Column("figures", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reconciliation_run")),
        sa.UniqueConstraint("day", "currency", name=op.f("uq_reconciliation_run_day_currency")),
    )
    op.create_table(
        "intake_before",
        sa.Column("id", ID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("batch_id", ID, nullable=False),
        sa.Column("table_name", sa.String(length=32), nullable=False),
        sa.Column("row_id", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["batch_id"], ["intake_batch.id"], name=op.f("fk_intake_before_batch_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_intake_before")),
    )
    op.create_index("ix_intake_before_batch", "intake_before", ["batch_id", "table_name"], unique=False)

    op.create_table(
        "outgoing_row",
        sa.Column("batch_id", ID, nullable=False),
        sa.Column("entry_id", ID, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(length=8), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["batch_id"], ["outgoing_batch.id"], name=op.f("fk_outgoing_row_batch_id")),
        sa.ForeignKeyConstraint(["entry_id"], ["outgoing_entry.id"], name=op.f("fk_outgoing_row_entry_id")),
        sa.PrimaryKeyConstraint("batch_id", "entry_id", name=op.f("pk_outgoing_row")),
        sa.UniqueConstraint("batch_id", "position", name=op.f("uq_outgoing_row_batch_id_position")),
    )
    op.create_index(
        "uq_outgoing_row_standing",
        "outgoing_row",
        ["entry_id"],
        unique=True,
        sqlite_where=sa.text("outcome <> 'refused'"),
        postgresql_where=sa.text("outcome <> 'refused'"),
    )

    op.create_table(
        "reconciliation_difference",
        sa.Column("id", ID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reference", sa.String(length=20), nullable=False),
        sa.Column("run_id", ID, nullable=False),
        sa.Column("subject", sa.String(length=160), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("provider_minor", sa.BigInteger(), nullable=True),
        sa.Column("ours_minor", sa.BigInteger(), nullable=True),
        sa.Column("core_minor", sa.BigInteger(), nullable=True),
        sa.Column("gap_minor", sa.BigInteger(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("matched_id", ID, nullable=True),
        sa.ForeignKeyConstraint(
            ["matched_id"],
            ["reconciliation_difference.id"],
            name=op.f("fk_reconciliation_difference_matched_id"),
        ),
        sa.ForeignKeyConstraint(
            ["run_id"], ["reconciliation_run.id"], name=op.f("fk_reconciliation_difference_run_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reconciliation_difference")),
        sa.UniqueConstraint("reference", name=op.f("uq_reconciliation_difference_reference")),
        sa.UniqueConstraint("run_id", "subject", name=op.f("uq_reconciliation_difference_run_id_subject")),
    )
    op.create_index(
        op.f("ix_reconciliation_difference_run_id"), "reconciliation_difference", ["run_id"], unique=False
    )
    op.create_index(
        op.f("ix_reconciliation_difference_state"), "reconciliation_difference", ["state"], unique=False
    )

    op.create_table(
        "withdrawn_line",
        sa.Column("id", ID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("line_id", sa.BigInteger(), nullable=False),
        sa.Column("batch_id", ID, nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("loan_id", sa.BigInteger(), nullable=False),
        sa.Column("line_ref", sa.String(length=48), nullable=False),
        sa.Column("source", sa.String(length=8), nullable=False),
        sa.Column("posted_on", sa.Date(), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("cost_minor", sa.BigInteger(), nullable=False),
        sa.Column("fee_minor", sa.BigInteger(), nullable=False),
        sa.Column("penalty_interest_minor", sa.BigInteger(), nullable=False),
        sa.Column("interest_minor", sa.BigInteger(), nullable=False),
        sa.Column("principal_minor", sa.BigInteger(), nullable=False),
        sa.Column("suspense_minor", sa.BigInteger(), nullable=False),
        sa.Column("memo", sa.String(length=200), nullable=False),
        sa.Column("reverses_id", sa.BigInteger(), nullable=True),
        sa.Column("of_line_id", sa.BigInteger(), nullable=True),
        sa.Column("external_ref", sa.String(length=64), nullable=False),
        sa.Column("payment_id", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["batch_id"], ["intake_batch.id"], name=op.f("fk_withdrawn_line_batch_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_withdrawn_line")),
    )
    op.create_index(op.f("ix_withdrawn_line_batch_id"), "withdrawn_line", ["batch_id"], unique=False)
    op.create_index(op.f("ix_withdrawn_line_line_id"), "withdrawn_line", ["line_id"], unique=False)

    op.create_table(
        "difference_note",
        sa.Column("id", ID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("difference_id", ID, nullable=False),
        sa.Column("staff_id", ID, nullable=True),
        sa.Column("action", sa.String(length=12), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["difference_id"], ["reconciliation_difference.id"], name=op.f("fk_difference_note_difference_id")
        ),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_difference_note_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_difference_note")),
    )
    op.create_index(
        op.f("ix_difference_note_difference_id"), "difference_note", ["difference_id"], unique=False
    )

    op.create_table(
        "loan_rate",
        sa.Column("id", ID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("loan_id", ID, nullable=False),
        sa.Column("from_on", sa.Date(), nullable=False),
        sa.Column("annual_rate", sa.String(length=24), nullable=False),
        sa.Column("penalty_rate", sa.String(length=24), nullable=True),
        sa.Column("batch_sequence", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["loan_id"], ["loan.id"], name=op.f("fk_loan_rate_loan_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_loan_rate")),
        sa.UniqueConstraint("loan_id", "from_on", name=op.f("uq_loan_rate_loan_id_from_on")),
    )
    op.create_table(
        "certificate",
        sa.Column("id", ID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reference", sa.String(length=20), nullable=False),
        sa.Column("plan_id", ID, nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.Column("signature", sa.String(length=128), nullable=False),
        sa.ForeignKeyConstraint(["plan_id"], ["plan.id"], name=op.f("fk_certificate_plan_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_certificate")),
        sa.UniqueConstraint("plan_id", name=op.f("uq_certificate_plan_id")),
        sa.UniqueConstraint("reference", name=op.f("uq_certificate_reference")),
    )
    op.create_table(
        "pay_link",
        sa.Column("id", ID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reference", sa.String(length=20), nullable=False),
        sa.Column("borrower_id", ID, nullable=False),
        sa.Column("loan_id", ID, nullable=True),
        sa.Column("plan_id", ID, nullable=True),
        sa.Column("token_digest", sa.String(length=64), nullable=False),
        sa.Column("token_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("label_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("limit_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("form_key", sa.String(length=64), nullable=False),
        sa.CheckConstraint("(loan_id IS NULL) <> (plan_id IS NULL)", name=op.f("ck_pay_link_one_target")),
        sa.CheckConstraint("limit_minor > 0", name=op.f("ck_pay_link_limit")),
        sa.ForeignKeyConstraint(["borrower_id"], ["borrower.id"], name=op.f("fk_pay_link_borrower_id")),
        sa.ForeignKeyConstraint(["loan_id"], ["loan.id"], name=op.f("fk_pay_link_loan_id")),
        sa.ForeignKeyConstraint(["plan_id"], ["plan.id"], name=op.f("fk_pay_link_plan_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pay_link")),
        sa.UniqueConstraint("borrower_id", "form_key", name=op.f("uq_pay_link_borrower_id_form_key")),
        sa.UniqueConstraint("reference", name=op.f("uq_pay_link_reference")),
        sa.UniqueConstraint("token_digest", name=op.f("uq_pay_link_token_digest")),
    )
    op.create_index(op.f("ix_pay_link_borrower_id"), "pay_link", ["borrower_id"], unique=False)

    op.create_table(
        "agreement_paper",
        sa.Column("id", ID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("agreement_id", ID, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("maker", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["agreement_id"], ["agreement.id"], name=op.f("fk_agreement_paper_agreement_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agreement_paper")),
        sa.UniqueConstraint("agreement_id", "digest", name=op.f("uq_agreement_paper_agreement_id_digest")),
    )
    op.create_table(
        "refund",
        sa.Column("id", ID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reference", sa.String(length=20), nullable=False),
        sa.Column("payment_id", ID, nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("reason", sa.String(length=24), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("staff_id", ID, nullable=True),
        sa.Column("human_ref", sa.String(length=32), nullable=True),
        sa.Column("second_staff_id", ID, nullable=True),
        sa.Column("second_human_ref", sa.String(length=32), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("form_key", sa.String(length=64), nullable=False),
        sa.Column("idempotency_key", sa.String(length=64), nullable=False),
        sa.Column("provider_refund", sa.String(length=120), nullable=True),
        sa.Column("provider_created", sa.BigInteger(), nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_refund_amount")),
        sa.CheckConstraint(
            "second_human_ref IS NULL OR second_human_ref <> human_ref", name=op.f("ck_refund_two_people")
        ),
        sa.ForeignKeyConstraint(["payment_id"], ["payment.id"], name=op.f("fk_refund_payment_id")),
        sa.ForeignKeyConstraint(["second_staff_id"], ["staff.id"], name=op.f("fk_refund_second_staff_id")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_refund_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refund")),
        sa.UniqueConstraint("idempotency_key", name=op.f("uq_refund_idempotency_key")),
        sa.UniqueConstraint("provider_refund", name=op.f("uq_refund_provider_refund")),
        sa.UniqueConstraint("reference", name=op.f("uq_refund_reference")),
        sa.UniqueConstraint("staff_id", "form_key", name=op.f("uq_refund_staff_id_form_key")),
    )
    op.create_index(op.f("ix_refund_payment_id"), "refund", ["payment_id"], unique=False)
    op.create_index(op.f("ix_refund_state"), "refund", ["state"], unique=False)

    op.create_table(
        "saved_method",
        sa.Column("id", ID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("borrower_id", ID, nullable=False),
        sa.Column("plan_id", ID, nullable=False),
        sa.Column("payment_id", ID, nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("from_on", sa.Date(), nullable=False),
        sa.Column("consent_text", sa.Text(), nullable=False),
        sa.Column("consent_language", sa.String(length=8), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("provider_customer", sa.String(length=120), nullable=True),
        sa.Column("provider_method", sa.String(length=120), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_by", sa.String(length=16), nullable=False),
        sa.Column("forgotten_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["borrower_id"], ["borrower.id"], name=op.f("fk_saved_method_borrower_id")),
        sa.ForeignKeyConstraint(["payment_id"], ["payment.id"], name=op.f("fk_saved_method_payment_id")),
        sa.ForeignKeyConstraint(["plan_id"], ["plan.id"], name=op.f("fk_saved_method_plan_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_method")),
        sa.UniqueConstraint("payment_id", name=op.f("uq_saved_method_payment_id")),
    )
    op.create_index(op.f("ix_saved_method_borrower_id"), "saved_method", ["borrower_id"], unique=False)
    op.create_index(
        "uq_saved_method_active",
        "saved_method",
        ["plan_id"],
        unique=True,
        sqlite_where=sa.text("state = 'active'"),
        postgresql_where=sa.text("state = 'active'"),
    )

    op.create_table(
        "dispute",
        sa.Column("id", ID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reference", sa.String(length=20), nullable=False),
        sa.Column("payment_id", ID, nullable=True),
        sa.Column("unplaced_id", ID, nullable=True),
        sa.Column("provider_dispute", sa.String(length=120), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("withdrawn", sa.Boolean(), nullable=False),
        sa.Column("reinstated", sa.Boolean(), nullable=False),
        sa.Column("provider_created", sa.BigInteger(), nullable=False),
        sa.Column("answer_by", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answer_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("answered_by", ID, nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answer_state", sa.String(length=12), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "payment_id IS NOT NULL OR unplaced_id IS NOT NULL", name=op.f("ck_dispute_about_money")
        ),
        sa.ForeignKeyConstraint(["answered_by"], ["staff.id"], name=op.f("fk_dispute_answered_by")),
        sa.ForeignKeyConstraint(["payment_id"], ["payment.id"], name=op.f("fk_dispute_payment_id")),
        sa.ForeignKeyConstraint(["unplaced_id"], ["unplaced_money.id"], name=op.f("fk_dispute_unplaced_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dispute")),
        sa.UniqueConstraint("provider_dispute", name=op.f("uq_dispute_provider_dispute")),
        sa.UniqueConstraint("reference", name=op.f("uq_dispute_reference")),
    )
    op.create_index(op.f("ix_dispute_payment_id"), "dispute", ["payment_id"], unique=False)
    op.create_index(op.f("ix_dispute_state"), "dispute", ["state"], unique=False)

    op.create_table(
        "incoming_transfer",
        sa.Column("id", ID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("transfer_ref", sa.String(length=64), nullable=False),
        sa.Column("value_on", sa.Date(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("text_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("payer_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("content_digest", sa.String(length=64), nullable=False),
        sa.Column("outcome", sa.String(length=12), nullable=False),
        sa.Column("reason", sa.String(length=24), nullable=False),
        sa.Column("payment_id", ID, nullable=True),
        sa.Column("unplaced_id", ID, nullable=True),
        sa.Column("reverses_ref", sa.String(length=64), nullable=True),
        sa.Column("batch_sequence", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_incoming_transfer_amount")),
        sa.ForeignKeyConstraint(["payment_id"], ["payment.id"], name=op.f("fk_incoming_transfer_payment_id")),
        sa.ForeignKeyConstraint(
            ["unplaced_id"], ["unplaced_money.id"], name=op.f("fk_incoming_transfer_unplaced_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incoming_transfer")),
        sa.UniqueConstraint("payment_id", name=op.f("uq_incoming_transfer_payment_id")),
        sa.UniqueConstraint("reverses_ref", name=op.f("uq_incoming_transfer_reverses_ref")),
        sa.UniqueConstraint("transfer_ref", name=op.f("uq_incoming_transfer_transfer_ref")),
    )
    op.create_index(op.f("ix_incoming_transfer_outcome"), "incoming_transfer", ["outcome"], unique=False)

    op.create_table(
        "instalment_charge",
        sa.Column("id", ID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("plan_id", ID, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("attempt", sa.BigInteger(), nullable=False),
        sa.Column("saved_method_id", ID, nullable=False),
        sa.Column("payment_id", ID, nullable=False),
        sa.Column("tried_on", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(["payment_id"], ["payment.id"], name=op.f("fk_instalment_charge_payment_id")),
        sa.ForeignKeyConstraint(["plan_id"], ["plan.id"], name=op.f("fk_instalment_charge_plan_id")),
        sa.ForeignKeyConstraint(
            ["saved_method_id"], ["saved_method.id"], name=op.f("fk_instalment_charge_saved_method_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instalment_charge")),
        sa.UniqueConstraint("payment_id", name=op.f("uq_instalment_charge_payment_id")),
        sa.UniqueConstraint(
            "plan_id", "number", "attempt", name=op.f("uq_instalment_charge_plan_id_number_attempt")
        ),
    )
    op.create_table(
        "suspense_move",
        sa.Column("id", ID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reference", sa.String(length=20), nullable=False),
        sa.Column("unplaced_id", ID, nullable=True),
        sa.Column("loan_id", ID, nullable=True),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("to_loan_id", ID, nullable=True),
        sa.Column("to_plan_id", ID, nullable=True),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("staff_id", ID, nullable=False),
        sa.Column("human_ref", sa.String(length=32), nullable=False),
        sa.Column("form_key", sa.String(length=64), nullable=False),
        sa.Column("second_staff_id", ID, nullable=True),
        sa.Column("second_human_ref", sa.String(length=32), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("payment_id", ID, nullable=True),
        sa.Column("outcome", sa.JSON(), nullable=True),
        sa.CheckConstraint(
            "(unplaced_id IS NULL) <> (loan_id IS NULL)", name=op.f("ck_suspense_move_one_source")
        ),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_suspense_move_amount")),
        sa.CheckConstraint(
            "second_human_ref IS NULL OR second_human_ref <> human_ref",
            name=op.f("ck_suspense_move_two_people"),
        ),
        sa.ForeignKeyConstraint(["loan_id"], ["loan.id"], name=op.f("fk_suspense_move_loan_id")),
        sa.ForeignKeyConstraint(["payment_id"], ["payment.id"], name=op.f("fk_suspense_move_payment_id")),
        sa.ForeignKeyConstraint(
            ["second_staff_id"], ["staff.id"], name=op.f("fk_suspense_move_second_staff_id")
        ),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_suspense_move_staff_id")),
        sa.ForeignKeyConstraint(["to_loan_id"], ["loan.id"], name=op.f("fk_suspense_move_to_loan_id")),
        sa.ForeignKeyConstraint(["to_plan_id"], ["plan.id"], name=op.f("fk_suspense_move_to_plan_id")),
        sa.ForeignKeyConstraint(
            ["unplaced_id"], ["unplaced_money.id"], name=op.f("fk_suspense_move_unplaced_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_suspense_move")),
        sa.UniqueConstraint("reference", name=op.f("uq_suspense_move_reference")),
        sa.UniqueConstraint("staff_id", "form_key", name=op.f("uq_suspense_move_staff_id_form_key")),
    )
    op.create_index(op.f("ix_suspense_move_state"), "suspense_move", ["state"], unique=False)
    op.create_index(
        "uq_suspense_move_loan",
        "suspense_move",
        ["loan_id"],
        unique=True,
        sqlite_where=sa.text("kind <> 'keep' AND state IN ('asked', 'confirmed')"),
        postgresql_where=sa.text("kind <> 'keep' AND state IN ('asked', 'confirmed')"),
    )
    op.create_index(
        "uq_suspense_move_unplaced",
        "suspense_move",
        ["unplaced_id"],
        unique=True,
        sqlite_where=sa.text("kind <> 'keep' AND state NOT IN ('refused', 'failed')"),
        postgresql_where=sa.text("kind <> 'keep' AND state NOT IN ('refused', 'failed')"),
    )


def change_tables() -> None:
    # What tables had before gets what these columns mean for it; the defaults stay, so that a release
    # that does not know the columns can still write its rows beside a new one.
    for table, made in NEW_COLUMNS:
        op.add_column(table, made._copy())
    reference("ledger_line", "of_line_id", "ledger_line")
    reference("payment", "pay_link_id", "pay_link")
    op.create_index(
        "ix_ledger_line_external_ref",
        "ledger_line",
        ["external_ref"],
        unique=False,
        sqlite_where=sa.text("external_ref <> ''"),
        postgresql_where=sa.text("external_ref <> ''"),
    )
    op.create_index(
        "ix_ledger_line_of_line_id",
        "ledger_line",
        ["of_line_id"],
        unique=False,
        sqlite_where=sa.text("of_line_id IS NOT NULL"),
        postgresql_where=sa.text("of_line_id IS NOT NULL"),
    )
    op.create_index("ix_provider_event_money_id", "provider_event", ["money_id"], unique=False)

    with op.batch_alter_table("intake_batch") as batch_op:
        batch_op.drop_constraint("uq_intake_batch_bank_sequence", type_="unique")
        batch_op.drop_constraint("uq_intake_batch_manifest_sha256", type_="unique")
    for name, columns in (
        ("uq_intake_batch_manifest", ["manifest_sha256"]),
        ("uq_intake_batch_sequence", ["bank", "sequence"]),
    ):
        op.create_index(
            name, "intake_batch", columns, unique=True, sqlite_where=STANDS, postgresql_where=STANDS
        )
    with op.batch_alter_table("plan_receipt") as batch_op:
        batch_op.drop_constraint("uq_plan_receipt_plan_id_number_payment_id", type_="unique")
        batch_op.create_unique_constraint(
            "uq_plan_receipt_plan_id_number_payment_id_turn", ["plan_id", "number", "payment_id", "turn"]
        )
    with op.batch_alter_table("unplaced_money") as batch_op:
        batch_op.alter_column("event_id", existing_type=sa.String(length=120), nullable=True)
    with op.batch_alter_table("loan_balance") as batch_op:
        for name, condition in BALANCE_CHECKS:
            batch_op.create_check_constraint(op.f(f"ck_loan_balance_{name}"), condition)

    # every agreement there is can be asked after in public from now on
    op.execute(FACES[op.get_bind().dialect.name])
    set_ledger_triggers(LEDGER_TRIGGERS)
    for table in APPEND_ONLY:
        for statement in append_only(table):
            op.execute(statement)


def downgrade() -> None:
    # what only the new tables and kinds of rows can say goes with them
    bind = op.get_bind()
    set_ledger_triggers(LEDGER_TRIGGERS_BEFORE)
    op.drop_index("ix_ledger_line_of_line_id", table_name="ledger_line")
    op.drop_index("ix_ledger_line_external_ref", table_name="ledger_line")
    op.drop_index("ix_provider_event_money_id", table_name="provider_event")
    with op.batch_alter_table("loan_balance") as batch_op:
        for name, _ in BALANCE_CHECKS:
            batch_op.drop_constraint(op.f(f"ck_loan_balance_{name}"), type_="check")
    op.execute("DELETE FROM unplaced_money WHERE event_id IS NULL")
    with op.batch_alter_table("unplaced_money") as batch_op:
        batch_op.alter_column("event_id", existing_type=sa.String(length=120), nullable=False)
    op.execute("DELETE FROM plan_receipt WHERE turn <> 0")
    with op.batch_alter_table("plan_receipt") as batch_op:
        batch_op.drop_constraint("uq_plan_receipt_plan_id_number_payment_id_turn", type_="unique")
        batch_op.create_unique_constraint(
            "uq_plan_receipt_plan_id_number_payment_id", ["plan_id", "number", "payment_id"]
        )
    op.execute("DELETE FROM intake_batch WHERE state <> 'applied'")
    for name in ("uq_intake_batch_manifest", "uq_intake_batch_sequence"):
        op.drop_index(name, table_name="intake_batch")
    with op.batch_alter_table("intake_batch") as batch_op:
        batch_op.create_unique_constraint("uq_intake_batch_bank_sequence", ["bank", "sequence"])
        batch_op.create_unique_constraint("uq_intake_batch_manifest_sha256", ["manifest_sha256"])
    if bind.dialect.name == "sqlite":
        drop_columns_of_sqlite()
    else:
        op.drop_column("ledger_line", "of_line_id")
        op.drop_column("payment", "pay_link_id")
        for table, made in reversed(NEW_COLUMNS):
            op.drop_column(table, str(made.name))
    for table in reversed(TABLES):
        op.drop_table(table)
    if bind.dialect.name == "postgresql":
        for table in APPEND_ONLY:
            op.execute(f"DROP FUNCTION {table}_append_only()")


def drop_columns_of_sqlite() -> None:
    """SQLite drops a plain column in place; one that points elsewhere only with its table copied, and a
    copied table gets its triggers again."""
    for table, made in reversed(NEW_COLUMNS):
        op.execute(f"ALTER TABLE {table} DROP COLUMN {made.name}")
    with op.batch_alter_table("payment") as batch_op:
        batch_op.drop_column("pay_link_id")
    with op.batch_alter_table("ledger_line") as batch_op:
        batch_op.drop_column("of_line_id")
    set_ledger_triggers(LEDGER_TRIGGERS_BEFORE)
