"""REST, the live WebSocket, alerts, metrics and the dashboard's files."""
