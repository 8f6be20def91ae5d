"""Authors of whom everything is deleted, and the function that takes their posts out, some at a time.

Why: an account that is closed sends no deletions of its posts, and there may be a hundred thousand of them.

Posts have no index by author. Each post would pay for it, and where authors are masked it would find nothing. Ids of
the AT Protocol have the author in them, so of a DID the keys of the posts are a range of the key that is there already;
posts of any other author are looked for among those of the source.
"""

from alembic import op

revision = "0009"
down_revision = "0008"

TABLES = (
    # `posts_until`: what was written later is not meant. `after_post_id` or `after_id`: how far the search has come.
    """
    CREATE TABLE deleted_authors (
        source varchar(50) NOT NULL,
        author varchar(255) COLLATE "C" NOT NULL,
        posts_until timestamptz NOT NULL,
        deleted_at timestamptz NOT NULL,
        is_open boolean NOT NULL,
        after_post_id text COLLATE "C" NOT NULL,
        after_id bigint NOT NULL,
        PRIMARY KEY (author, source)
    )
    """,
    "CREATE INDEX deleted_authors_open ON deleted_authors (deleted_at) WHERE is_open",
    "CREATE INDEX deleted_authors_deleted_at ON deleted_authors (deleted_at)",
)
# With the rights of its owner, as `delete_posts`. Gives the ids of the posts that it has deleted of one author, which
# may be none; NULL where no author is open, or others are at work on all who are.
FUNCTION = """
    CREATE FUNCTION delete_posts_of_authors(at_most integer, rows_at_once integer) RETURNS text[]
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DECLARE
        chosen deleted_authors;
        keys_seen integer;
        keys_until text;
        row_ids bigint[];
        meant text[];
        meant_until bigint;
        rows_seen integer;
        rows_until bigint;
        ends boolean;
    BEGIN
        SELECT * INTO chosen FROM deleted_authors WHERE is_open ORDER BY deleted_at LIMIT 1 FOR UPDATE SKIP LOCKED;
        IF NOT FOUND THEN
            RETURN NULL;
        END IF;
        IF starts_with(chosen.author, 'did:') THEN
            -- '0' is the character behind '/'.
            SELECT count(*), max(post_id), array_agg(id) FILTER (WHERE id <> 0) INTO keys_seen, keys_until, row_ids
              FROM (SELECT post_id, id FROM social_media_post_keys
                     WHERE post_id > greatest(chosen.after_post_id, 'at://' || chosen.author || '/') COLLATE "C"
                       AND post_id < ('at://' || chosen.author || '0') COLLATE "C"
                     ORDER BY post_id LIMIT at_most) AS keys;
            ends := keys_seen < at_most;
            chosen.after_post_id := coalesce(keys_until, '');
            SELECT array_agg(post_id) INTO meant FROM social_media_posts
             WHERE id = ANY (row_ids) AND source = chosen.source AND created_at <= chosen.posts_until;
        ELSE
            WITH step AS MATERIALIZED (
                SELECT id, post_id, author, created_at FROM social_media_posts
                 WHERE source = chosen.source AND id > chosen.after_id ORDER BY id LIMIT rows_at_once
            ), wanted AS (
                SELECT id, post_id FROM step WHERE author = chosen.author AND created_at <= chosen.posts_until
                 ORDER BY id LIMIT at_most
            )
            SELECT (SELECT count(*) FROM step), (SELECT max(id) FROM step), array_agg(post_id), max(id)
              INTO rows_seen, rows_until, meant, meant_until FROM wanted;
            IF cardinality(meant) = at_most THEN
                ends := false;
                chosen.after_id := meant_until;
            ELSE
                ends := rows_seen < rows_at_once;
                chosen.after_id := coalesce(rows_until, 0);
            END IF;
        END IF;
        UPDATE deleted_authors
           SET is_open = NOT ends, after_post_id = chosen.after_post_id, after_id = chosen.after_id
         WHERE author = chosen.author AND source = chosen.source;
        RETURN CASE WHEN meant IS NULL THEN '{}' ELSE ARRAY(SELECT delete_posts(meant)) END;
    END $$
"""
# Whose it is instead says grants.py.
REVOKE = """
    -- Nobody has used it before: it is made right above.
    -- squawk-ignore ban-revoke
    REVOKE EXECUTE ON FUNCTION delete_posts_of_authors(integer, integer) FROM PUBLIC
"""


def upgrade() -> None:
    for statement in (*TABLES, FUNCTION, REVOKE):
        op.execute(statement)


def downgrade() -> None:
    """Posts of these authors that come later are stored again."""
    op.execute("DROP FUNCTION delete_posts_of_authors(integer, integer)")
    op.execute("DROP TABLE deleted_authors")
