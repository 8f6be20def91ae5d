"""What surrounds every request: who may ask, how much at once, in which words an error comes, what is logged."""
