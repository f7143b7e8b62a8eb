"""Relations among the columns of a table, without being told which column is to be explained.

>>> relations(columns, networks=5)                                                                              # doctest: +SKIP

Networks say which few columns another can be read from; votes of the rows then find the exact formula, and count its exceptions.
"""

from kanpde.relations.exact import Exact, exact_formula
from kanpde.relations.searching import Relation, RelationSearch, distinct, found_in, relations
from kanpde.relations.supports import Support, support

__all__ = ["Exact", "Relation", "RelationSearch", "Support", "distinct", "exact_formula", "found_in", "relations", "support"]
