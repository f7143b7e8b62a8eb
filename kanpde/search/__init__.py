"""The search for a formula: terms, outer links, sums and products of terms, and changes in context."""
