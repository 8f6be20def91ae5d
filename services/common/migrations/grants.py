"""What each database role may do with the tables, in one place.

Whoever adds a table says here who writes into it; a migration that runs as the schema's owner applies it at once.
"""

from collections.abc import Collection

# Owns the schema: migrations and the keeper.
MIGRATE = "undertone_migrate"
WORKER = "undertone_worker"
API = "undertone_api"
# People and their tools, pg_dump among them.
READ = "undertone_read"
# Sees the server's statistics, and no table.
MONITOR = "undertone_monitor"

# Of all tables and partitions, later ones as well.
READS_ALL = (API, READ)
# A worker reads only what its one statement compares with.
TABLES: dict[str, dict[str, str]] = {
    WORKER: {
        "alembic_version": "SELECT",
        "social_media_posts": "INSERT",
        "sentiment_analysis": "INSERT",
        "analysis_batches": "INSERT",
        "social_media_post_keys": "SELECT, INSERT",
        "deleted_authors": "SELECT, INSERT, UPDATE",
        "sentiment_minutes": "SELECT, INSERT, UPDATE",
        "emotion_minutes": "SELECT, INSERT, UPDATE",
    },
    API: {
        "sentiment_alerts": "INSERT, UPDATE",
        "alert_rules": "INSERT, UPDATE, DELETE",
        "alert_rule_states": "INSERT, UPDATE, DELETE",
        "alert_keyword_minutes": "INSERT, UPDATE, DELETE",
        "alert_keyword_progress": "UPDATE",
        "alert_deliveries": "INSERT, UPDATE",
    },
}
SEQUENCES = {WORKER: {"social_media_posts_number": "USAGE"}}
# They work with the rights of the schema's owner.
FUNCTIONS = {
    WORKER: {"delete_posts": "EXECUTE", "delete_posts_of_authors": "EXECUTE"},
    API: {"delete_posts": "EXECUTE"},
}

# For the owner of the schema alone: elsewhere there may be no such roles.
IS_OWNER = f"SELECT current_user = '{MIGRATE}'"
# Of the owner's, the names of tables and partitions, and of sequences: others may have theirs in the schema.
OWN = f"""
    SELECT relname, relkind = 'S' AS is_sequence FROM pg_class
     WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'S') AND relowner = '{MIGRATE}'::regrole
"""  # nosec B608 # a role's constant name
# Those of the owner's that are not everybody's.
OWN_FUNCTIONS = f"""
    SELECT proname FROM pg_proc
     WHERE pronamespace = 'public'::regnamespace AND prosecdef AND proowner = '{MIGRATE}'::regrole
"""  # nosec B608 # a role's constant name


def grants(tables: Collection[str], sequences: Collection[str], functions: Collection[str]) -> list[str]:
    """The statements that grant all of it, on those tables, sequences and functions that exist; harmless when
    repeated.
    """
    statements = []
    for kind, existing, readers, of_roles in (
        ("TABLE", tables, READS_ALL, TABLES),
        ("SEQUENCE", sequences, (READ,), SEQUENCES),
        ("FUNCTION", functions, (), FUNCTIONS),
    ):
        if existing and readers:
            statements.append(f"GRANT SELECT ON {kind} {', '.join(existing)} TO {', '.join(readers)}")
        for role, of_names in of_roles.items():
            for name, rights in of_names.items():
                if name in existing:
                    statements.append(f"GRANT {rights} ON {kind} {name} TO {role}")
    return statements
