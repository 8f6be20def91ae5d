"""Who may do what, and how much of it: keys, the scope that each route needs, limits of one key or address."""
