"""What `export.tune` is made of: settings, load, trials, and what comes out."""
