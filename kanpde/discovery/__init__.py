"""From data, trained networks and solved equations to laws with a verdict; and what flows conserve."""

from kanpde.discovery.conservation import conserved
from kanpde.discovery.equations import discover_pde
from kanpde.discovery.laws import discover, extract, polish

__all__ = ["conserved", "discover", "discover_pde", "extract", "polish"]
