"""Laws found in data, with a verdict."""

from kanpde.discovery.pdes import discover_pde

__all__ = ["discover_pde"]
