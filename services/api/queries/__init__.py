"""All SQL of the API, parameterised; rows come back as response models or plain values."""
