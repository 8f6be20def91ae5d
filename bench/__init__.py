"""Measurements that documents quote: each says in its head what it measures and how. `python -m bench --help`"""
