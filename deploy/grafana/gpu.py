"""The GPUs that Triton computes on; empty where it computes on processors."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from deploy.grafana.parts import Section, choice, lines, new_dashboard, number, rate

_GPU = 'gpu_uuid=~"$gpu"'


def dashboard() -> Dashboard:
    return new_dashboard(
        "gpu",
        "GPU",
        "The GPUs that Triton computes on. Empty where it computes on processors: it has no such metrics.",
        choice("gpu", "GPU", "GPUs that Triton sees", "nv_gpu_memory_total_bytes", "gpu_uuid"),
        _now(),
        _over_time(),
        _work(),
    )


def _now() -> Section:
    return "Now", [
        number("GPUs", "That Triton sees.", "short", "count(nv_gpu_memory_total_bytes)", width=6, red_below=1),
        number("Utilization", "Mean of the GPUs.", "percentunit", "avg(nv_gpu_utilization)", width=6, orange=0.95),
        number(
            "Memory",
            "Of the fullest GPU.",
            "percentunit",
            "max(gpu:nv_gpu_memory_used:ratio)",
            width=6,
            orange=0.9,
            red=0.95,
        ),
        number("Power", "All GPUs together.", "watt", "sum(nv_gpu_power_usage)", width=6),
    ]


def _over_time() -> Section:
    energy = f"{rate('nv_energy_consumption')} / {rate('nv_inference_count')}"
    return "Over time", [
        lines(
            "Utilization",
            "Share of the time in which something was computed. Low while posts wait: something else is slow.",
            "percentunit",
            (f"nv_gpu_utilization{{{_GPU}}}", "{{gpu_uuid}}"),
        ),
        lines(
            "Memory in use",
            "Models, their workspaces and what the runtime holds back.",
            "bytes",
            (f"nv_gpu_memory_used_bytes{{{_GPU}}}", "{{gpu_uuid}}"),
            (f"max(nv_gpu_memory_total_bytes{{{_GPU}}})", "of a GPU"),
        ),
        lines(
            "Power",
            "At its limit a GPU computes more slowly.",
            "watt",
            (f"nv_gpu_power_usage{{{_GPU}}}", "{{gpu_uuid}}"),
            (f"max(nv_gpu_power_limit{{{_GPU}}})", "limit"),
        ),
        lines("Energy of an inference", "For one text by one model, idle time included.", "joule", (energy, "energy")),
    ]


def _work() -> Section:
    inferences, executions = rate("nv_inference_count", "model"), rate("nv_inference_exec_count", "model")
    return "What they do", [
        lines("Inferences", "Texts a second.", "cps", (inferences, "{{model}}")),
        lines("Batch", "Texts that were computed at once.", "short", (f"{inferences} / {executions}", "{{model}}")),
    ]
