"""Between networks and formulas: what sympy can say about a problem."""
