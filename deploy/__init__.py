"""How Undertone is deployed: what configures other programs, and what writes such configuration."""
