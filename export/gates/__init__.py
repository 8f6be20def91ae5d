"""The checks that a version has to pass before it is published, one module each."""
