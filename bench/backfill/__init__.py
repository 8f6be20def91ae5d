"""An archive through `undertone backfill` beside the runtime alone."""
