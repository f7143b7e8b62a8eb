"""Laws found in data, with a verdict."""
