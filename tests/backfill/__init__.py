"""`undertone backfill` on Ray, in the environment that has it: `make test-backfill`."""
