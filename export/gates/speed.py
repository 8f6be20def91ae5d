"""Gate: the version is not slower on the CPU than the one in service, both served by the same Triton."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from google.protobuf import text_format
from tritonclient.grpc import InferenceServerClient

from export.cores import physical_cores
from export.evidence.private_triton import place, private_triton
from export.gates.candidate import Candidate
from export.gates.speed_posts import Mix, ordinary_posts, requests_of
from export.gates.speed_rounds import Rounds, Side, measure
from export.report import Gate
from export.triton_config import parse, serving_of
from export.version_folder import CONFIGS

NAME = "speed"
# A ratio so near to the limit is measured again before it is judged.
DOUBTFUL = 0.1


@dataclass(frozen=True)
class SpeedOptions:
    """`min_ratio`: of the speed in service; `seconds`: of one measurement."""

    min_ratio: float = 0.9
    allow_slower: bool = False
    seconds: float = 20.0


def check_speed(
    candidate: Candidate, in_service: Candidate | None, options: SpeedOptions, *, without_triton: bool
) -> Gate:
    if without_triton:
        return Gate(NAME, None, "left out (--without-triton)")
    if in_service is None:
        return Gate(NAME, None, "no version is in service that it could be compared with")
    mix = ordinary_posts(candidate)
    with tempfile.TemporaryDirectory(prefix="undertone-verify-") as folder:
        names = ("candidate", "in_service")
        for name, version in zip(names, (candidate, in_service), strict=True):
            place(Path(folder), name, version.folder, _config(version, name))
        with private_triton(Path(folder)) as triton, InferenceServerClient(triton.url) as client:
            one, other = (
                Side(client, name, requests_of(version, mix))
                for name, version in zip(names, (candidate, in_service), strict=True)
            )
            rounds = measure(one, other, options.seconds)
            if abs(rounds.ratio(mix) / options.min_ratio - 1) <= DOUBTFUL:
                more = measure(one, other, options.seconds)
                rounds = Rounds(rounds.one + more.one, rounds.other + more.other)
    return _judge(mix, rounds, options)


def _config(version: Candidate, name: str) -> str:
    """Its CPU configuration under another name; threads as tuned on such a machine, else all cores."""
    config = parse((version.folder / CONFIGS / "cpu.pbtxt").read_text(encoding="utf-8"))
    config.name = name
    # With a limit on queue or waiting, Triton (2.51) looks only every half second whether an instance has become free:
    # noise that is the same for both, and nothing queues here.
    config.dynamic_batching.ClearField("default_queue_policy")
    cores = physical_cores()
    serving = serving_of(config)
    if serving.tuned_cores != cores:
        threads = max(1, cores // max(1, serving.instances))
        config.parameters["intra_op_thread_count"].string_value = str(threads)
        config.parameters["tuned_cores"].string_value = str(cores)
    text: str = text_format.MessageToString(config)
    return text


def _judge(mix: Mix, rounds: Rounds, options: SpeedOptions) -> Gate:
    ratio, (low, high) = rounds.ratio(mix), rounds.quartiles(mix)
    one, other = rounds.together()
    rates = [1 / mix.seconds_a_post(times) for times in (one, other)]
    slower = ratio < options.min_ratio
    text = (
        f"{rates[0]:.1f} rows/s, {rates[1]:.1f} in service: {ratio:.2f} times as fast (at least {options.min_ratio:g}; "
        f"middle half of {len(rounds.one)} rounds {low:.2f} to {high:.2f})"
    )
    if slower and options.allow_slower:
        text += "; slower, allowed (--allow-slower)"
    figures = {
        "ratio": ratio,
        "quartiles": [low, high],
        "rounds": len(rounds.one),
        "min_ratio": options.min_ratio,
        "slower_allowed": options.allow_slower,
        "candidate": rates[0],
        "in_service": rates[1],
        "lengths": [
            {
                "tokens": length,
                "share": mix.shares[length],
                "candidate": 1 / mix.seconds_a_row(one, length),
                "in_service": 1 / mix.seconds_a_row(other, length),
            }
            for length in mix.texts
        ],
    }
    return Gate(NAME, not slower or options.allow_slower, text, figures)
