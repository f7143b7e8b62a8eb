"""The formula of an equation that a network has solved, and its proof."""
