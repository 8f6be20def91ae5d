"""Rules of alerts in the database, what their keywords were counted, and messages to webhooks on their way.

Why: one rule from the settings says nothing of a product, a source or an emotion, and nobody hears of an alert who does
not look at the dashboard.

Every rule has an `alert_type` of its own, so the unique index of raised alerts (0001) admits one of each rule, also
beside processes that know only the rule of the settings.
"""

from alembic import op

revision = "0007"
down_revision = "0006"

STATEMENTS = (
    """
    CREATE TABLE alert_rules (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        name varchar(100) NOT NULL,
        kind varchar(20) NOT NULL,
        sentiment varchar(20), emotion varchar(50), source varchar(50), keyword varchar(100),
        threshold double precision NOT NULL,
        window_minutes integer NOT NULL,
        min_posts integer NOT NULL,
        enabled boolean NOT NULL,
        webhooks text[] NOT NULL,
        changed_at timestamptz NOT NULL DEFAULT now()
    )
    """,
    "CREATE UNIQUE INDEX alert_rules_name ON alert_rules (lower(name))",
    # Apart from the rules, because the rule of the settings has one, too, and it is written every minute: pages stay
    # half empty for that. `cools_until`: no alert before it, since one was resolved by the rule itself.
    """
    CREATE TABLE alert_rule_states (
        rule_id bigint PRIMARY KEY,
        last_value double precision NOT NULL,
        last_posts bigint NOT NULL,
        window_end timestamptz NOT NULL,
        evaluated_at timestamptz NOT NULL DEFAULT now(),
        cools_until timestamptz
    ) WITH (fillfactor = 50)
    """,
    # Of the posts of a minute that have a rule's keyword: how many, how many of these count as what the rule looks for,
    # and the newest of those.
    """
    CREATE TABLE alert_keyword_minutes (
        rule_id bigint NOT NULL REFERENCES alert_rules (id) ON DELETE CASCADE,
        minute timestamptz NOT NULL,
        posts bigint NOT NULL,
        matching bigint NOT NULL,
        newest_ids bigint[] NOT NULL,
        PRIMARY KEY (rule_id, minute)
    ) WITH (fillfactor = 50)
    """,
    "CREATE INDEX alert_keyword_minutes_minute ON alert_keyword_minutes (minute)",
    # The id of the first post that no keyword was looked for in.
    "CREATE TABLE alert_keyword_progress (next_id bigint NOT NULL DEFAULT 0)",
    "INSERT INTO alert_keyword_progress VALUES (0)",
    # An outbox: written by the transaction that raises or resolves the alert. No foreign key: it would lock the table
    # of alerts against those who write it, and alerts are never deleted.
    """
    CREATE TABLE alert_deliveries (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        key uuid NOT NULL DEFAULT gen_random_uuid(),
        alert_id bigint NOT NULL,
        webhook varchar(30) NOT NULL,
        change varchar(20) NOT NULL,
        body text NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        next_attempt_at timestamptz NOT NULL DEFAULT now(),
        attempts integer NOT NULL DEFAULT 0,
        last_error varchar(200),
        delivered_at timestamptz,
        given_up_at timestamptz
    ) WITH (fillfactor = 70)
    """,
    "CREATE UNIQUE INDEX alert_deliveries_once ON alert_deliveries (alert_id, webhook, change)",
    """
    CREATE INDEX alert_deliveries_waiting ON alert_deliveries (webhook, id)
     WHERE delivered_at IS NULL AND given_up_at IS NULL
    """,
    # NULL: raised before, or by a process of the version before.
    """
    ALTER TABLE sentiment_alerts
      ADD COLUMN rule_id bigint, ADD COLUMN rule_name varchar(100),
      ADD COLUMN source varchar(50), ADD COLUMN keyword varchar(100), ADD COLUMN emotion varchar(50),
      ADD COLUMN newest_ids bigint[],
      ADD COLUMN acknowledged_at timestamptz, ADD COLUMN acknowledged_note varchar(500)
    """,
)
TABLES = (
    "alert_deliveries",
    "alert_keyword_progress",
    "alert_keyword_minutes",
    "alert_rule_states",
    "alert_rules",
)
COLUMNS = (
    "rule_id",
    "rule_name",
    "source",
    "keyword",
    "emotion",
    "newest_ids",
    "acknowledged_at",
    "acknowledged_note",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    op.execute(f"ALTER TABLE sentiment_alerts {', '.join(f'DROP COLUMN {name}' for name in COLUMNS)}")
    for table in TABLES:
        op.execute(f"DROP TABLE {table}")
