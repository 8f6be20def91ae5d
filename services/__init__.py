"""Undertone's services: ingester, worker and API, the Triton backend, and the embedded servers of `make run`."""
