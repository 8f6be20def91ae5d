"""Grafana: `python -m deploy.grafana` writes the dashboards, from one module each."""
