"""The arithmetic behind the figures."""

import itertools
import math
import statistics

import pytest

from bench.arrivals import poisson_times
from bench.flops import flops_per_row, flops_per_token, layer_weights, limit_rows_per_s
from bench.latency import REST, STAGES, TOKENIZATION, shares, stages_between
from bench.models import RECIPES
from bench.posts import WORDS, draw_words, texts
from bench.prometheus import Samples
from bench.rounds import interleave, percentile, quantiles, ratio, summary
from bench.soak import flatness

DISTILBERT, ROBERTA = RECIPES["full"]["sentiment"], RECIPES["full"]["emotion"]


def test_a_token_of_distilbert_base_costs_two_operations_a_weight_and_attention_on_top() -> None:
    assert layer_weights(DISTILBERT) == 42_467_328
    assert flops_per_token(DISTILBERT, 0) == 84_934_656
    # Scores and their sums: 2 x 2 x 32 x 768 in each of 6 layers.
    assert flops_per_token(DISTILBERT, 32) - flops_per_token(DISTILBERT, 0) == 6 * 4 * 32 * 768
    assert flops_per_row(DISTILBERT, 32) == 32 * flops_per_token(DISTILBERT, 32)


def test_roberta_base_has_twice_the_layers_of_distilbert_base() -> None:
    assert flops_per_row(ROBERTA, 64) == 2 * flops_per_row(DISTILBERT, 64)


def test_the_limit_is_the_peak_over_the_operations_of_a_row() -> None:
    assert limit_rows_per_s(DISTILBERT, 32, 7.0 * flops_per_row(DISTILBERT, 32)) == pytest.approx(7.0)


def test_alternatives_take_turns_and_begin_in_turn() -> None:
    order: list[str] = []

    def measuring(name: str, value: float) -> float:
        order.append(name)
        return value

    found = interleave({"a": lambda: measuring("a", 1.0), "b": lambda: measuring("b", 2.0)}, rounds=3)
    assert found == {"a": [1.0] * 3, "b": [2.0] * 3}
    assert order == ["a", "b", "b", "a", "a", "b"]


def test_a_summary_is_the_median_and_its_neighbours() -> None:
    assert summary([3.0, 1.0, 2.0]) == {"median": 2.0, "low": 1.0, "high": 3.0, "rounds": 3}


def test_a_ratio_compares_within_each_round() -> None:
    # The machine was half as fast in the second round, for both.
    assert ratio([100.0, 50.0], [50.0, 25.0]) == {"median": 2.0, "low": 2.0, "high": 2.0, "rounds": 2}


@pytest.mark.parametrize(
    ("percent", "expected"), [(0, 1), (1, 1), (50, 50), (95, 95), (99, 99), (99.5, 100), (100, 100)]
)
def test_a_percentile_is_a_value_that_was_measured(percent: float, expected: float) -> None:
    assert percentile([float(value) for value in range(100, 0, -1)], percent) == expected


def test_where_nothing_was_measured_there_is_no_percentile() -> None:
    assert math.isnan(percentile([], 50))
    assert quantiles([])["count"] == 0


def test_arrivals_are_the_same_for_the_same_seed_and_as_many_as_the_rate_says() -> None:
    times = poisson_times(200.0, 50.0, seed=3)
    assert times == poisson_times(200.0, 50.0, seed=3)
    assert times != poisson_times(200.0, 50.0, seed=4)
    assert times == sorted(times)
    assert times[0] > 0
    assert times[-1] < 50.0
    assert len(times) == pytest.approx(10_000, rel=0.05)
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    # Of a memoryless process: the deviation of the gaps is their mean.
    assert statistics.stdev(gaps) == pytest.approx(statistics.fmean(gaps), rel=0.05)


def test_a_rate_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="not possible"):
        poisson_times(0.0, 1.0, seed=1)


def test_generated_posts_are_as_long_as_real_ones_and_the_same_every_time() -> None:
    made = texts(None, 1_000)
    assert made == texts(None, 1_000)
    words = sorted(len(text.split()) for text in made)
    assert words[0] >= WORDS[0]
    assert words[-1] <= WORDS[-1]
    assert words[500] == pytest.approx(WORDS[5], abs=2)


def test_the_distribution_of_words_is_followed_from_end_to_end() -> None:
    assert [draw_words(tenth / 10) for tenth in range(11)] == list(WORDS)


def test_what_the_stages_leave_of_the_mean_is_not_the_workers() -> None:
    assert shares(0.010, {"analyse": 0.004, "store": 0.001}) == pytest.approx({"analyse": 0.4, "store": 0.1, REST: 0.5})
    assert shares(0.010, {"analyse": 0.02})[REST] == 0.0


def test_analysis_is_shown_as_tokenization_and_the_rest_of_it() -> None:
    def samples(analyse: tuple[float, int], tokenize: tuple[float, int], store: tuple[float, int]) -> Samples:
        found: Samples = {}
        for stage, (seconds, count) in (("analyse", analyse), ("store", store)):
            found[f"{STAGES}_sum", (("stage", stage),)] = seconds
            found[f"{STAGES}_count", (("stage", stage),)] = count
        found[f"{TOKENIZATION}_sum", ()], found[f"{TOKENIZATION}_count", ()] = tokenize
        return found

    before = samples((1.0, 10), (0.1, 10), (0.5, 10))
    after = samples((3.0, 20), (0.6, 20), (1.5, 20))
    assert stages_between(before, after) == pytest.approx({"tokenize": 0.05, "infer": 0.15, "store": 0.1})


def test_growth_counts_from_the_end_of_the_warm_up() -> None:
    warm, flat = [10.0, 50.0], [100.0] * 18
    assert flatness([*warm, *flat])["growth_mb"] == 0.0
    rising = flatness([*warm, *(100.0 + sample for sample in range(18))])
    assert rising["growth_mb"] == pytest.approx(17.0)
    assert rising["growth"] == pytest.approx(0.17)
