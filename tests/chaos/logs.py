"""What processes wrote that nobody expects: errors and tracebacks, but those that the faults explain."""

import re
from collections.abc import Iterator
from pathlib import Path

# What the files of the supervisor begin each line with.
_MOMENT = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ")
_OURS = re.compile(
    r"\[(error|critical|ERROR|CRITICAL)\s*\]|^Traceback \(most recent call last\)|^\s*(\+ )?Exception Group"
)
_ALARMS = {
    "postgres": re.compile(r"\b(ERROR|FATAL|PANIC):"),
    "redis": re.compile(r"Fatal|ASSERTION FAILED|Bad file format|BUG REPORT|Can't|Error"),
    # glog: E, F and the time.
    "triton": re.compile(r"^[EF]\d{4} |Traceback"),
}
# Of each process, what may be written, and why.
ALLOWED: dict[str, dict[str, str]] = {
    "postgres": {
        r"FATAL: +terminating connection due to": "it is stopped, or a session of it was killed, while others work",
        r"FATAL: +connection to client lost": "it was cut in the middle of an answer",
        r"FATAL: +the database system is (starting up|shutting down|in recovery mode|not yet accepting)": "a client "
        "that asks while it is started again",
        r"ERROR: +canceling statement due to user request": "a service gave up a statement, when it stopped or in a "
        "stall",
        r"ERROR: +canceling statement due to lock timeout": "partitions are made or dropped only if nobody has to wait",
    },
    "redis": {},
    "triton": {
        r'"CudaDriverHelper has not been initialized."': "there is no GPU",
        r"Stub process '\w+' is not healthy": "its stubs were killed, here while they loaded a model",
        r"failed to stop server: Internal - Exit timeout expired": "its stubs were killed, and it waited",
    },
}


def unexpected_lines(folder: Path) -> Iterator[str]:
    """`<process>: <line>`, of all log files in the folder."""
    for file in sorted(folder.glob("*.log*")):
        name = file.name.partition(".log")[0]
        process = name.partition("-")[0]
        alarm = _ALARMS.get(process, _OURS)
        for line in file.read_text(errors="replace").splitlines():
            text = _MOMENT.sub("", line)
            if alarm.search(text) and not is_allowed(process, text):
                yield f"{name}: {text}"


def is_allowed(process: str, text: str) -> bool:
    return any(re.search(pattern, text) for pattern in ALLOWED.get(process, {}))
