"""What others would use instead, in an environment and processes of its own: nothing here imports the services."""
