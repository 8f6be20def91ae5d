"""`.ci/audit`, with programs that end and print as the real ones do."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

AUDIT = Path(__file__).parents[2] / ".ci" / "audit"
# They find nothing of ours; of the version that is known to have faults they know it.
PROGRAMS = {
    "bandit": "exit 0",
    "detect-secrets-hook": 'case "$*" in *--no-verify*) ;; *) echo "would ask the secret\'s owner"; exit 1 ;; esac',
    "pip-audit": 'case "$*" in *requirements/*) ;; *) echo "requests 2.19.0 PYSEC-2018-28"; exit 1 ;; esac',
    "npm": 'case "$*" in *frontend) ;; *) echo "lodash, high: GHSA-fvqr-27wr-82fm"; exit 1 ;; esac',
}
TITLES = {"bandit": "bandit", "detect-secrets-hook": "detect-secrets", "pip-audit": "pip-audit", "npm": "npm audit"}


def audit(folder: Path, instead: Mapping[str, str] | None = None) -> tuple[int, list[str]]:
    """Exit status and lines; `instead` of those programs these scripts."""
    for name, script in {**PROGRAMS, **(instead or {})}.items():
        program = folder / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    path = f"{folder}:{os.environ['PATH']}"
    answer = subprocess.run(
        [AUDIT], env={**os.environ, "PATH": path}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    return answer.returncode, answer.stdout.decode().splitlines()


def test_one_line_each_where_nothing_is_found(tmp_path: Path) -> None:
    status, lines = audit(tmp_path)
    assert status == 0
    assert [line.split(":")[0] for line in lines] == list(TITLES.values())
    assert "skipped" not in "".join(lines)


@pytest.mark.parametrize("program", PROGRAMS)
def test_whatever_is_found_fails_and_is_shown_and_the_rest_is_looked_at(tmp_path: Path, program: str) -> None:
    known = "PYSEC-1 GHSA-1"
    status, lines = audit(tmp_path, {program: f"echo 'found {known}'; exit 1"})
    assert status == 1
    assert f"found {known}" in lines
    others = [title for name, title in TITLES.items() if name != program]
    assert [title for title in others if any(line.startswith(f"{title}: no") for line in lines)] == others


@pytest.mark.parametrize("program", ["pip-audit", "npm"])
@pytest.mark.parametrize("answer", ["echo 'cannot connect'; exit 1", "echo 'No known vulnerabilities found'"])
def test_who_gives_no_advisories_is_skipped_with_a_note(tmp_path: Path, program: str, answer: str) -> None:
    status, lines = audit(tmp_path, {program: answer})
    assert status == 0
    assert [line.split(":")[0] for line in lines if "skipped" in line] == [TITLES[program]]


def test_one_advised_file_among_the_locked_ones_is_enough(tmp_path: Path) -> None:
    script = 'case "$*" in *requirements/services.txt | *requirements.txt) echo PYSEC-1; exit 1 ;; esac'
    status, lines = audit(tmp_path, {"pip-audit": script})
    assert status == 1
    assert [line for line in lines if ":" not in line] == ["requirements/services.txt", "PYSEC-1"]
