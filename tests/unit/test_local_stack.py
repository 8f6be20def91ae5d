"""What `make run` starts with which settings, and its command line."""

from collections.abc import Callable
from pathlib import Path

import pytest

from services.common.settings import Settings
from services.local import stack
from services.local.__main__ import ingester_arguments, parse
from services.local.child import Child
from services.local.named_servers import NamedServers
from services.local.passwords import Passwords
from services.local.stack import Plan, build_stages, service_environment
from services.local.summary import summary

PASSWORDS = Passwords(postgres="pg-secret", redis="redis-secret")


def plan_of(settings: Settings, **options: object) -> Plan:
    return Plan(settings, NamedServers.of(settings), **options)  # type: ignore[arg-type] # of several types


def settings_of(**values: object) -> Settings:
    return Settings(_env_file=None, **values)  # type: ignore[arg-type] # likewise


@pytest.fixture(autouse=True)
def no_settings_around(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(autouse=True)
def no_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server definitions touch the machine; here only their names count."""

    def named(name: str) -> Callable[..., Child]:
        async def ready() -> bool:
            return True

        return lambda **_: Child(name=name, command=[name], environment={}, ready=ready)

    for name in ("postgres", "redis", "triton"):
        monkeypatch.setattr(stack, f"{name}_child", named(name))
    monkeypatch.setattr(stack, "ensure_env", lambda folder, lock: folder)


def names(plan: Plan) -> list[list[str]]:
    return [[child.name for child in stage] for stage in build_stages(plan, PASSWORDS)]


def test_servers_then_services_then_the_source() -> None:
    assert names(plan_of(settings_of())) == [["triton", "postgres", "redis"], ["api", "worker"], ["ingester"]]
    assert names(plan_of(settings_of(), ingester=None))[1:] == [["api", "worker"]]


def test_tritons_spans_go_where_those_of_the_services_go(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, object] = {}

    async def ready() -> bool:
        return True

    def noted(**options: object) -> Child:
        given.update(options)
        return Child(name="triton", command=["triton"], environment={}, ready=ready)

    monkeypatch.setattr(stack, "triton_child", noted)
    plan = plan_of(settings_of(traces_endpoint="http://collector:4318/"))
    build_stages(plan, PASSWORDS)
    assert given["traces_endpoint"] == "http://collector:4318"
    assert service_environment(plan, PASSWORDS)["TRACES_ENDPOINT"] == "http://collector:4318"


def test_a_gpu_is_looked_for_before_its_environment_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[object] = []

    async def ready() -> bool:
        return True

    def noted(**options: object) -> Child:
        done.append((options["config_name"], options["env_dir"]))
        return Child(name="triton", command=["triton"], environment={}, ready=ready)

    def installed(folder: Path, lock: Path) -> Path:
        done.append((folder.name, lock.name))
        return folder

    monkeypatch.setattr(stack, "check_gpu", lambda: done.append("looked"))
    monkeypatch.setattr(stack, "ensure_env", installed)
    monkeypatch.setattr(stack, "triton_child", noted)
    folder = settings_of().local_dir.absolute() / "triton"
    build_stages(plan_of(settings_of()), PASSWORDS)
    assert done == [("env", "triton.txt"), ("cpu", folder / "env")]
    done.clear()
    build_stages(plan_of(settings_of(local_triton_config="gpu-ort")), PASSWORDS)
    assert done == ["looked", ("env-gpu", "triton-gpu.txt"), ("gpu-ort", folder / "env-gpu")]


def test_servers_that_the_user_names_are_not_started() -> None:
    assert names(plan_of(settings_of(database_url="postgresql://u:p@db/x")))[0] == ["triton", "redis"]
    assert names(plan_of(settings_of(redis_host="queue", postgres_host="db")))[0] == ["triton"]
    everything = settings_of(redis_url="redis://q:1/0", postgres_host="db", triton_url="gpu:8001")
    assert names(plan_of(everything))[0] == ["api", "worker"]


def test_services_learn_the_addresses_of_the_embedded_servers() -> None:
    environment = service_environment(plan_of(settings_of(local_redis_port=7000, postgres_db="mood")), PASSWORDS)
    assert environment["DATABASE_URL"] == "postgresql://undertone:pg-secret@127.0.0.1:54329/mood"
    assert environment["REDIS_URL"] == "redis://:redis-secret@127.0.0.1:7000/0"
    assert environment["TRITON_URL"] == "127.0.0.1:8001"
    assert environment["TRITON_METRICS_URL"] == "http://127.0.0.1:8002/metrics"
    assert Path(environment["MODEL_REPOSITORY"]).is_absolute()
    assert environment["PYTHONUNBUFFERED"] == "1"


def test_services_see_what_the_user_set_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOMETHING_ELSE", "1")
    monkeypatch.setenv("TZ", "Europe/Zurich")
    settings = settings_of(alert_min_posts=3, redis_url="rediss://u:p@queue:6380/2", worker_metrics_port=0)
    environment = service_environment(plan_of(settings), PASSWORDS)
    assert environment["ALERT_MIN_POSTS"] == "3"
    assert environment["REDIS_URL"] == "rediss://u:p@queue:6380/2"
    assert environment["TZ"] == "Europe/Zurich"
    assert "SOMETHING_ELSE" not in environment
    assert "ALERT_INTERVAL_S" not in environment


def test_the_environment_of_services_is_read_back_as_the_same_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every value survives the way through text."""
    settings = settings_of(
        neutral_below=0.7, frontend_dist=Path("/srv/page"), log_level="debug", max_stream_lag=5, posts_per_minute=1.5
    )
    for name, value in service_environment(plan_of(settings), PASSWORDS).items():
        monkeypatch.setenv(name, value)
    read = settings_of()
    for name in settings.model_fields_set:
        assert getattr(read, name) == getattr(settings, name)


def test_no_secret_on_a_command_line() -> None:
    commands = [word for stage in build_stages(plan_of(settings_of()), PASSWORDS) for c in stage for word in c.command]
    assert not any("secret" in word for word in commands)


def test_every_worker_has_a_metrics_port_of_its_own() -> None:
    """The ingester's port, next to the first worker's, is left out."""
    plan = plan_of(settings_of(), workers=3)
    assert plan.worker_ports == [9101, 9103, 9104]
    assert names(plan)[1] == ["api", "worker-1", "worker-2", "worker-3"]
    environments = [child.environment["WORKER_METRICS_PORT"] for child in build_stages(plan, PASSWORDS)[1][1:]]
    assert environments == ["9101", "9103", "9104"]
    assert plan_of(settings_of(worker_metrics_port=0), workers=2).worker_ports == [0, 0]


def test_the_ports_that_have_to_be_free() -> None:
    def ports(settings: Settings) -> dict[str, int]:
        return {need.setting: need.port for need in plan_of(settings).port_needs()}

    assert ports(settings_of()) == {
        "API_PORT": 8000,
        "LOCAL_POSTGRES_PORT": 54329,
        "LOCAL_REDIS_PORT": 63790,
        "LOCAL_TRITON_GRPC_PORT": 8001,
        "LOCAL_TRITON_METRICS_PORT": 8002,
        "INGESTER_METRICS_PORT": 9102,
        "WORKER_METRICS_PORT": 9101,
    }
    users = settings_of(triton_url="gpu:8001", redis_url="redis://q", database_url="postgresql://d", api_port=80)
    assert ports(users) == {"API_PORT": 80, "INGESTER_METRICS_PORT": 9102, "WORKER_METRICS_PORT": 9101}


def test_the_command_line_of_the_ingester(tmp_path: Path) -> None:
    posts = tmp_path / "posts.jsonl"
    posts.touch()
    replay = ["--source", "replay", "--file", str(posts)]
    assert ingester_arguments(parse([])) == ["--source", "simulate"]
    assert ingester_arguments(parse(["--rate", "600"])) == ["--source", "simulate", "--rate", "600"]
    assert ingester_arguments(parse(["--as-fast-as-possible"])) == [
        "--source",
        "simulate",
        "--rate",
        "simulate=6000000",
    ]
    live = [
        "--source",
        "bluesky",
        "--source",
        "simulate",
        "--language",
        "en",
        "--keyword",
        "good day",
        "--keyword",
        "x",
    ]
    assert ingester_arguments(parse(live)) == live
    assert ingester_arguments(parse(replay)) == replay
    assert ingester_arguments(parse([*replay, "--as-fast-as-possible"])) == replay
    assert ingester_arguments(parse([*replay, "--rate", "1.5"])) == [*replay, "--rate", "1.5"]
    assert ingester_arguments(parse(["--no-ingester"])) is None


@pytest.mark.parametrize(
    "arguments",
    [
        ["--source", "replay"],
        ["--file", "x"],
        ["--source", "replay", "--file", "/nowhere.jsonl"],
        ["--workers", "0"],
        ["--rate", "0"],
        ["--rate", "nan"],
        ["--rate", "5", "--as-fast-as-possible"],
    ],
)
def test_a_command_line_that_makes_no_sense(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(arguments)
    assert caught.value.code == 2
    assert "error: " in capsys.readouterr().err


def test_the_summary_shows_an_address_that_a_browser_can_open(tmp_path: Path) -> None:
    (tmp_path / "index.html").touch()
    settings = settings_of(api_host="0.0.0.0", frontend_dist=tmp_path)
    lines = summary(plan_of(settings), 4.25)
    assert lines[:2] == ["Everything is up after 4.2 s", "  Dashboard  http://127.0.0.1:8000"]
    lines = summary(plan_of(settings_of(api_host="::1", frontend_dist=tmp_path / "none")), 1)
    assert lines[1].startswith("  Dashboard  not built: ")
    assert lines[2] == "  API        http://[::1]:8000/api/openapi.json"
