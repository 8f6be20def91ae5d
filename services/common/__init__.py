"""What every service needs; imports no other package of the project."""
