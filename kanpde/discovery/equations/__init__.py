"""Evolution equations from scattered, noisy samples of their solutions."""

from kanpde.discovery.equations.discovering import discover_pde

__all__ = ["discover_pde"]
