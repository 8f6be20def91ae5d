"""Thin routes: parameters in, one query or state, a response model out."""
