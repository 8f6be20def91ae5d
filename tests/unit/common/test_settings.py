"""Settings come from the environment; what is wrong with them is told all at once."""

from pathlib import Path

import pytest

from services.common.errors import ConfigurationError
from services.common.settings import Settings, env_example, read_settings

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def test_the_example_file_is_the_settings() -> None:
    assert (ROOT / ".env.example").read_text() == env_example(), (
        "run: python -m services.common.settings > .env.example"
    )


def test_the_example_file_uncommented_is_the_defaults(tmp_path: Path) -> None:
    lines = env_example().splitlines()
    (tmp_path / ".env").write_text("\n".join(line.removeprefix("#") for line in lines if not line.startswith("# ")))
    assert read_settings() == Settings(_env_file=None)


def test_everything_wrong_is_listed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {"API_PORT": "http", "POSTS_PER_MINUTE": "-1", "TRITON_URL": "nowhere", "REDIS_URL": "ftp://x"}
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as refusal:
        read_settings()
    assert all(name in str(refusal.value) for name in wrong)


def test_a_secret_is_not_repeated_in_the_complaint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "mysql://user:hunter2@db/x")
    with pytest.raises(ConfigurationError) as refusal:
        read_settings()
    assert "hunter2" not in str(refusal.value)
    assert "DATABASE_URL" in str(refusal.value)


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+asyncpg", "postgres"])
def test_every_usual_scheme_of_a_database_url_is_accepted(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    monkeypatch.setenv("DATABASE_URL", f"{scheme}://u:p@h:1/d")
    assert read_settings().database_dsn == "postgresql://u:p@h:1/d"


def test_urls_are_built_from_their_parts_with_passwords_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTGRES_PASSWORD", "p@ss/word")
    monkeypatch.setenv("REDIS_PASSWORD", "a:b")
    settings = read_settings()
    assert settings.database_dsn == "postgresql://undertone:p%40ss%2Fword@localhost:5432/undertone"
    assert settings.redis_dsn == "redis://:a%3Ab@localhost:6379/0"


def test_an_empty_variable_counts_as_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_PORT", "")
    assert read_settings().api_port == 8000
