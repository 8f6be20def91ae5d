"""Making a day's partitions does not wait for the index that is being made on another day.

Why: LOCK TABLE locks every partition as well. Beside an index that is made concurrently, whoever made partitions waited
for it, and it for them: one of the two was ended as a deadlock, and over a large day there were no new partitions.
"""

from alembic import op

revision = "0005"
down_revision = "0004"

# Whole, though 0003 has nearly the same: what a revision does must not change with another's text.
_FUNCTION = """
    -- Processes of the version before may call either of the two: the same in all but the lock.
    -- squawk-ignore ban-replace-view-function
    CREATE OR REPLACE FUNCTION create_post_partitions(day date) RETURNS boolean LANGUAGE plpgsql AS $$
    DECLARE
        first bigint := first_id_at(day::timestamp AT TIME ZONE 'UTC');
        beyond bigint := first_id_at((day + 1)::timestamp AT TIME ZONE 'UTC');
        suffix text := to_char(day, '_YYYYMMDD');
        parent text;
    BEGIN
        IF to_regclass('sentiment_analysis' || suffix) IS NOT NULL THEN
            RETURN false;
        END IF;
        -- One at a time, and with a look at what the others made; nobody who reads or writes posts waits for this lock.
        LOCK TABLE {only}social_media_posts IN SHARE UPDATE EXCLUSIVE MODE;
        IF to_regclass('sentiment_analysis' || suffix) IS NOT NULL THEN
            RETURN false;
        END IF;
        FOREACH parent IN ARRAY ARRAY['social_media_posts', 'sentiment_analysis'] LOOP
            EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', parent || suffix, parent);
            EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)',
                           parent, parent || suffix, first, beyond);
        END LOOP;
        RETURN true;
    END $$
"""


def upgrade() -> None:
    op.execute(_FUNCTION.format(only="ONLY "))


def downgrade() -> None:
    op.execute(_FUNCTION.format(only=""))
