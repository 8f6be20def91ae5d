"""Back-off, exit reasons, and what reaches the terminal and the files."""

import threading
from io import StringIO
from pathlib import Path

import pytest

from services.local import output as output_module
from services.local.output import Output
from services.local.process import held_back
from services.local.runner import LONGEST_DELAY_S, SHORTEST_DELAY_S, Backoff, exit_reason


def test_delays_double_up_to_the_longest_with_jitter() -> None:
    backoff = Backoff()
    for failures in range(40):
        full_s = min(LONGEST_DELAY_S, SHORTEST_DELAY_S * 2**failures)
        assert full_s / 2 <= backoff.next_delay_s(healthy_s=0) <= full_s


def test_delays_differ() -> None:
    """Children that fell over the same thing do not all return at once."""
    assert len({Backoff(failures=9).next_delay_s(0) for _ in range(20)}) == 20


def test_a_minute_of_health_forgets_the_failures() -> None:
    backoff = Backoff(failures=9)
    assert backoff.next_delay_s(healthy_s=59) > 10
    assert backoff.next_delay_s(healthy_s=61) <= SHORTEST_DELAY_S


def test_exit_reasons_name_the_signal() -> None:
    assert exit_reason(3) == "ended with exit code 3"
    assert exit_reason(-9) == "was killed by SIGKILL"
    assert exit_reason(-63) == "was killed by signal 63"


def test_library_paths_are_held_back_from_the_python_that_starts_a_child() -> None:
    """Triton's libraries would break it."""
    assert held_back({"LD_LIBRARY_PATH": "/x", "PATH": "/bin"}) == {
        "UNDERTONE_CHILD_LD_LIBRARY_PATH": "/x",
        "PATH": "/bin",
    }


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_names_are_coloured_on_a_terminal_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    for stream in (StringIO(), Terminal()):
        output = Output(tmp_path, ["api"], stream)
        output.line("api", "hello")
        output.close()
        coloured = "\x1b[36mapi       |\x1b[0m hello\n"
        assert stream.getvalue() == (coloured if stream.isatty() else "api       | hello\n")
    assert "\x1b" not in (tmp_path / "api.log").read_text()


def test_log_files_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest lines, in two files at most."""
    monkeypatch.setattr(output_module, "LOG_FILE_BYTES", 1_000)
    output = Output(tmp_path, ["api"], StringIO())
    for number in range(500):
        output.line("api", f"line {number}")
    output.close()
    files = sorted(tmp_path.glob("api.log*"))
    assert [file.name for file in files] == ["api.log", "api.log.1"]
    assert all(file.stat().st_size <= 1_000 for file in files)
    assert "line 499\n" in files[0].read_text()


def test_a_terminal_that_is_not_read_does_not_hold_anything_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines beyond the bound are left out on the terminal, and are in the file."""
    monkeypatch.setattr(output_module, "WAITING_LINES", 10)
    paused = threading.Event()

    class Paused(StringIO):
        def write(self, text: str) -> int:
            paused.wait()
            return super().write(text)

    terminal = Paused()
    output = Output(tmp_path, ["api"], terminal)
    for number in range(1_000):
        output.line("api", f"line {number}")
    paused.set()
    output.close()
    assert 10 <= len(terminal.getvalue().splitlines()) <= 12
    assert "line 999\n" in (tmp_path / "api.log").read_text()


def test_a_full_disk_costs_lines_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full on this system")
    terminal = StringIO()
    output = Output(tmp_path, ["api"], terminal)
    (tmp_path / "api.log").symlink_to("/dev/full")
    for number in range(3):
        output.line("api", f"line {number}")
    output.close()
    assert len(terminal.getvalue().splitlines()) == 3
    assert capsys.readouterr().err == ""
