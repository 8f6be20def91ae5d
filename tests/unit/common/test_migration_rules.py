"""Migrations run while the version before works on: none takes away what that uses, or keeps it waiting.

squawk reads the SQL of every revision from 0004 on; those before need a stop (docs/reliability.md). What is taken away
one release after its last use says so above its statement: `-- squawk-ignore ban-drop-column`, and since when.
"""

import re
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import Script, ScriptDirectory

from services.common.migrations.apply import MIGRATIONS

LAST_THAT_NEEDS_A_STOP = "0003"
SQUAWK = Path(sys.executable).with_name("squawk")
# `migrate` runs everything in one transaction, on PostgreSQL 14 or newer.
OPTIONS = ("--assume-in-transaction", "--pg-version", "14", "--reporter", "gcc")
NOT_FOR_US = (
    "require-lock-timeout",  # `migrate` sets it for all
    "require-statement-timeout",  # a table is never read or written whole, see DATA
    "prefer-text-field",  # the length of our columns is the contract's
    "prefer-bigint-over-int",
    "prefer-bigint-over-smallint",
)
# Off by default: what an older writer or reader stumbles over though no lock is held.
SIDE_BY_SIDE = (
    "ban-new-write-restriction",  # a column that is NOT NULL with a default is none, and says so
    "ban-replace-view-function",
    "ban-set-default",
    "ban-drop-index",
    "ban-disable-trigger",
    "ban-alter-row-level-security",
    "ban-alter-sequence-values",
    "ban-detach-inheritance",
    "ban-revoke",
)
# What squawk lets pass: rows are moved in steps, by upkeep.
DATA = re.compile(r"(?im)^\s*(update|delete|truncate|merge|lock|cluster|vacuum|refresh|with|do|insert(?!.*values))\b")
# Two of them together may deadlock with a writer, who takes them in an order of its own.
ALTERED = re.compile(r"(?i)\balter\s+table\s+(?:if\s+exists\s+)?(?:only\s+)?(\w+)")
CREATED = re.compile(r"(?i)\bcreate\s+table\s+(?:if\s+not\s+exists\s+)?(\w+)")
BODIES = re.compile(r"(?s)\$(\w*)\$.*?\$\1\$")


def sql_of(revision: Script) -> str:
    """What the revision would execute."""
    statements = StringIO()
    context = MigrationContext.configure(dialect_name="postgresql", opts={"as_sql": True, "output_buffer": statements})
    with Operations.context(context):
        revision.module.upgrade()
    return statements.getvalue()


def complaints(sql: str) -> list[str]:
    """The names of the rules that the SQL breaks, in the order of its lines."""
    excluded = [f"--exclude={rule}" for rule in NOT_FOR_US]
    included = [f"--include={rule}" for rule in SIDE_BY_SIDE]
    answer = subprocess.run(
        [SQUAWK, *OPTIONS, *excluded, *included], input=sql, capture_output=True, text=True, check=False
    )
    assert not answer.stderr.strip(), answer.stderr
    found = re.findall(r"^stdin:\d+:\d+: \w+: ([a-z-]+)", answer.stdout, re.MULTILINE)
    assert bool(found) == bool(answer.returncode), answer.stdout
    sql = BODIES.sub("''", sql)
    found += [f"data: {match[1].lower()}" for match in DATA.finditer(sql)]
    return found + ["tables: one a migration"] * (len({*ALTERED.findall(sql)} - {*CREATED.findall(sql)}) > 1)


def revisions() -> list[Script]:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return list(ScriptDirectory.from_config(config).walk_revisions())


@pytest.mark.parametrize("revision", [script for script in revisions() if script.revision > LAST_THAT_NEEDS_A_STOP])
def test_a_migration_disturbs_nobody_who_works_with_the_version_before(revision: Script) -> None:
    assert complaints(sql_of(revision)) == []


@pytest.mark.parametrize("revision", revisions())
def test_revisions_are_numbers_of_four_digits_in_a_row(revision: Script) -> None:
    """An older version tells a newer schema by its number."""
    number = int(revision.revision)
    assert revision.revision == f"{number:04}"
    assert revision.down_revision == (f"{number - 1:04}" if number > 1 else None)


@pytest.mark.parametrize(
    ("sql", "rule"),
    [
        ("ALTER TABLE social_media_posts DROP COLUMN author", "ban-drop-column"),
        ("DROP TABLE sentiment_days", "ban-drop-table"),
        ("ALTER TABLE social_media_posts RENAME COLUMN author TO writer", "renaming-column"),
        ("ALTER TABLE social_media_posts RENAME TO posts", "renaming-table"),
        ("ALTER TABLE social_media_posts ADD COLUMN language text NOT NULL", "adding-required-field"),
        ("ALTER TABLE social_media_posts ALTER COLUMN author SET NOT NULL", "adding-not-nullable-field"),
        ("ALTER TABLE social_media_posts ALTER COLUMN author DROP NOT NULL", "ban-drop-not-null"),
        ("ALTER TABLE social_media_posts ALTER COLUMN source TYPE text", "changing-column-type"),
        ("ALTER TABLE social_media_posts ADD COLUMN chance float8 DEFAULT random()", "adding-field-with-default"),
        ("CREATE INDEX by_author ON social_media_posts (author)", "require-concurrent-index-creation"),
        ("ALTER TABLE social_media_posts ADD CHECK (author <> '')", "constraint-missing-not-valid"),
        ("ALTER TABLE social_media_posts ADD CONSTRAINT c CHECK (author <> '') NOT VALID", "ban-new-write-restriction"),
        ("CREATE OR REPLACE FUNCTION first_id_at(t date) RETURNS int RETURN 1", "ban-replace-view-function"),
        ("UPDATE social_media_posts SET author = 'x'", "data: update"),
        ("DELETE FROM social_media_posts", "data: delete"),
        ("INSERT INTO sentiment_days\nSELECT * FROM sentiment_hours", "data: insert"),
        ("LOCK TABLE social_media_posts", "data: lock"),
        ("ALTER TABLE a ADD COLUMN c text;\nALTER TABLE b ADD COLUMN c text", "tables: one a migration"),
        ("this is no SQL", "syntax-error"),
    ],
)
def test_what_would_disturb_them_is_found(sql: str, rule: str) -> None:
    assert rule in complaints(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER TABLE social_media_posts ADD COLUMN language text",
        "CREATE TABLE languages (code text PRIMARY KEY);\nCREATE INDEX again ON languages (code)",
        "ALTER TABLE a ADD COLUMN c text;\nALTER TABLE a ADD COLUMN d text",
        "CREATE TABLE a (x int PRIMARY KEY);\nALTER TABLE a ADD COLUMN c text;\nALTER TABLE b ADD COLUMN c text",
        "INSERT INTO rollup_progress DEFAULT VALUES",
        "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$\nBEGIN\n    UPDATE a SET b = 1;\nEND $$",
        "-- Since 0005 nobody reads it.\n-- squawk-ignore ban-drop-column\nALTER TABLE rollup_progress DROP COLUMN x",
    ],
)
def test_what_disturbs_nobody_passes(sql: str) -> None:
    assert complaints(sql) == []
