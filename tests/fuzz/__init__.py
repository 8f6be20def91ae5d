"""`make fuzz`: every decoder under input that nobody would write, for as long as you like."""
