"""From data, trained networks and solved equations to laws with a verdict."""

from kanpde.discovery.equations import discover_pde
from kanpde.discovery.laws import discover, extract, polish

__all__ = ["discover", "discover_pde", "extract", "polish"]
