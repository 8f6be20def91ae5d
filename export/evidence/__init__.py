"""What the gates look at and measure with: texts, tokens, references, a Triton of their own."""
