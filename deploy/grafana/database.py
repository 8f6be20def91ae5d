"""PostgreSQL, by its exporter, and Redis, by its own."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from deploy.grafana.parts import Section, choice, lines, new_dashboard, number, rate

_DATABASE = 'datname=~"$database"'
# Not the templates, nor the one that is there to connect to.
_OURS = 'datname!~"template.*|postgres"'


def dashboard() -> Dashboard:
    return new_dashboard(
        "database",
        "Databases",
        "PostgreSQL, which keeps the posts, and Redis, which carries them: size, load, limits.",
        choice("database", "Database", "Databases of PostgreSQL", f"pg_database_size_bytes{{{_OURS}}}", "datname"),
        _now(),
        _postgres(),
        _tables(),
        _redis(),
    )


def _now() -> Section:
    return "Now", [
        number("PostgreSQL", "1: its exporter reaches it.", "short", "max(pg_up)", red_below=1),
        number(
            "Connections",
            "Share of max_connections in use.",
            "percentunit",
            "undertone:database_connections:ratio",
            orange=0.6,
            red=0.8,
        ),
        number("Size", "Of the database, indexes included.", "bytes", f"max(pg_database_size_bytes{{{_OURS}}})"),
        number("Redis", "1: its exporter reaches it.", "short", "max(redis_up)", red_below=1),
        number(
            "Redis' memory",
            "Share of maxmemory in use; when it is full Redis refuses posts.",
            "percentunit",
            "max(redis_memory_used_bytes / (redis_memory_max_bytes > 0))",
            orange=0.6,
            red=0.8,
        ),
        number(
            "Redis' log",
            "1: the last write of its append-only file succeeded.",
            "short",
            "min(redis_aof_last_write_status)",
            red_below=1,
        ),
    ]


def _of(metric: str) -> str:
    return rate(f"pg_stat_database_{metric}", where=_DATABASE)


def _postgres() -> Section:
    size = f"pg_database_size_bytes{{{_DATABASE}}}"
    return "PostgreSQL", [
        lines(
            "Connections",
            "By state; idle in transaction for long: somebody forgot to commit.",
            "short",
            (f"sum by (state) (pg_stat_activity_count{{{_DATABASE}}})", "{{state}}"),
            stacked=True,
        ),
        lines(
            "Transactions",
            "Committed and rolled back.",
            "cps",
            (_of("xact_commit"), "committed"),
            (_of("xact_rollback"), "rolled back"),
        ),
        lines(
            "Rows",
            "Written a second.",
            "cps",
            (_of("tup_inserted"), "inserted"),
            (_of("tup_updated"), "updated"),
            (_of("tup_deleted"), "deleted"),
        ),
        lines(
            "Found in memory",
            "Share of the pages that PostgreSQL had in its own memory.",
            "percentunit",
            (f"{_of('blks_hit')} / ({_of('blks_hit')} + {_of('blks_read')})", "found"),
        ),
        lines(
            "Size",
            "And what it will be in a week, if it goes on as in the last six hours.",
            "bytes",
            (f"max by (datname) ({size})", "{{datname}}"),
            (f"max by (datname) (predict_linear({size}[6h], 604800))", "{{datname}} in a week"),
            ("undertone:database_size_limit_bytes", "limit"),
        ),
        lines(
            "Longest transaction",
            "Nothing that it could see is cleaned up until it ends.",
            "s",
            (f"max by (state) (pg_stat_activity_max_tx_duration{{{_DATABASE}}})", "{{state}}"),
        ),
        lines(
            "Deadlocks and conflicts",
            "Statements that PostgreSQL had to end; they are tried again.",
            "cps",
            (_of("deadlocks"), "deadlocks"),
            (_of("conflicts"), "conflicts"),
        ),
        lines(
            "Log (WAL)",
            "On disk now; it grows while a checkpoint is late.",
            "bytes",
            ("max(pg_wal_size_bytes)", "WAL"),
        ),
    ]


def _tables() -> Section:
    def largest(metric: str) -> str:
        return f"topk(10, max by (relname) (pg_stat_user_tables_{metric}{{{_DATABASE}}}))"

    return "Tables", [
        lines(
            "Largest tables",
            "Days of posts, analyses and roll-ups, indexes included.",
            "bytes",
            (largest("size_bytes"), "{{relname}}"),
        ),
        lines(
            "Dead rows",
            "Of the ten tables that have most: autovacuum takes them away.",
            "short",
            (largest("n_dead_tup"), "{{relname}}"),
        ),
    ]


def _redis() -> Section:
    commands = rate("redis_commands_total", "cmd")
    return "Redis", [
        lines(
            "Memory",
            "In use, as the system sees it, and the limit at which posts are refused.",
            "bytes",
            ("max(redis_memory_used_bytes)", "in use"),
            ("max(redis_memory_used_rss_bytes)", "resident"),
            ("max(redis_memory_max_bytes)", "limit"),
        ),
        lines("Commands", "A second, of the ten commonest.", "cps", (f"topk(10, {commands})", "{{cmd}}")),
        lines(
            "Time of a command",
            "Mean, of the ten slowest; waiting for new posts is not counted.",
            "s",
            (
                f"topk(10, {rate('redis_commands_duration_seconds_total', 'cmd')} / ({commands} > 0))",
                "{{cmd}}",
            ),
        ),
        lines(
            "Clients",
            "Connected, and those that wait in a blocking read.",
            "short",
            ("max(redis_connected_clients)", "connected"),
            ("max(redis_blocked_clients)", "waiting"),
        ),
        lines(
            "Append-only file",
            "Its size; it is rewritten when it has doubled.",
            "bytes",
            ("max(redis_aof_current_size_bytes)", "now"),
            ("max(redis_aof_base_size_bytes)", "after the last rewrite"),
        ),
        lines(
            "Network",
            "Bytes a second.",
            "Bps",
            (rate("redis_net_input_bytes_total"), "in"),
            (rate("redis_net_output_bytes_total"), "out"),
        ),
    ]
