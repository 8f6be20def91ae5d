"""`python -m bench inference`: rows a second and latency, side by side with what else there is on the same cores."""
