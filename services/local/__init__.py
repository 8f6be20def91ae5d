"""`make run`: PostgreSQL, Redis and Triton from wheels, and the services, under one supervisor."""
