"""Physics that problems need and a user may want again: reference solutions. No networks here."""
