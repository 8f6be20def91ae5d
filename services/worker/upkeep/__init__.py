"""What the database needs from time to time, done by one worker for all, or by the keeper."""
