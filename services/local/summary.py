"""The few lines that a person sees when everything is up."""

from services.local.ports import LOOPBACK
from services.local.stack import Plan


def summary(plan: Plan, seconds: float) -> list[str]:
    s = plan.settings
    host = LOOPBACK if s.api_host in {"0.0.0.0", "::", ""} else s.api_host  # nosec B104 # compared, not listened on
    address = f"http://{f'[{host}]' if ':' in host else host}:{s.api_port}"
    built = (s.frontend_dist / "index.html").is_file()
    rows = [
        ("Dashboard", address if built else f"not built: there is no {s.frontend_dist / 'index.html'}"),
        ("API", f"{address}/api/openapi.json"),
        ("Data", str(plan.local_dir)),
        ("Logs", str(plan.local_dir / "logs")),
        ("Stop", "Ctrl-C"),
    ]
    width = max(len(name) for name, _ in rows)
    return [f"Everything is up after {seconds:.1f} s", *(f"  {name:<{width}}  {value}" for name, value in rows)]
