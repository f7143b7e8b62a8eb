"""From data, trained networks and solved equations to laws with a verdict."""

from kanpde.discovery.laws import discover, extract, polish
from kanpde.discovery.pdes import discover_pde

__all__ = ["discover", "discover_pde", "extract", "polish"]
