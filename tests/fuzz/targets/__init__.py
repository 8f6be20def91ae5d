"""All of them, by name."""

from tests.fuzz.target import Target
from tests.fuzz.targets import api, exporter, files, inference, machine, posts

TARGETS: dict[str, Target] = {
    target.name: target for module in (posts, files, api, inference, exporter, machine) for target in module.TARGETS
}
