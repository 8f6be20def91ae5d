"""What the processor can do, as the kernel says."""

from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
# Instructions that decide which arithmetic is worth trying.
BF16_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "avx_ne_convert"})
INT8_FLAGS = frozenset({"avx512_vnni", "avx_vnni", "amx_int8"})


def read(path: Path = CPUINFO) -> tuple[str, frozenset[str]]:
    """(name of the first processor, its flags); empty where the kernel does not say."""
    name, flags = "", frozenset[str]()
    try:
        text = path.read_text()
    except OSError:
        return name, flags
    for line in text.split("\n\n", 1)[0].splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            name = value.strip()
        elif key.strip() == "flags":
            flags = frozenset(value.split())
    return name, flags
