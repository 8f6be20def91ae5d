"""Arithmetic of an encoder, and the rows a second that it cannot exceed."""

from bench.models import Recipe

# A multiply and an add.
OPERATIONS = 2


def layer_weights(recipe: Recipe) -> int:
    """Weights of the matrices in the layers: four of attention, two of the feed-forward part. Biases and norms are less
    than a thousandth. DistilBERT-base: 42.5 million, twice that in operations a token: 84.9 million.
    """
    return recipe.layers * (4 * recipe.hidden**2 + 2 * recipe.hidden * recipe.intermediate)


def flops_per_token(recipe: Recipe, length: int) -> int:
    """2 x weights, and 2 x 2 x length x hidden a layer for attention's own products (scores, and their sums)."""
    return OPERATIONS * (layer_weights(recipe) + recipe.layers * 2 * length * recipe.hidden)


def flops_per_row(recipe: Recipe, length: int) -> int:
    """Embeddings cost no product; the classifier reads one token and is left out."""
    return length * flops_per_token(recipe, length)


def limit_rows_per_s(recipe: Recipe, length: int, peak_flops: float) -> float:
    """What the measured peak allows, if everything were matrix products of the best shape."""
    return peak_flops / flops_per_row(recipe, length)
