"""Problems of data: a network that fits samples of functions, or tells classes apart, in an order or without."""

from kanpde.supervised.classification import Classification
from kanpde.supervised.ordinal import Ordinal
from kanpde.supervised.problem import Supervised
from kanpde.supervised.regression import Regression

__all__ = ["Classification", "Ordinal", "Regression", "Supervised"]
