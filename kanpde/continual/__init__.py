"""Continual learning: tasks one after another, what is forgotten, and what keeps from it."""

from kanpde.continual.remedies import Elastic, FreezeReached, Rehearse, Remedy, Replay, Stay
from kanpde.continual.running import Continual
from kanpde.continual.tasks import Windows

__all__ = ["Continual", "Elastic", "FreezeReached", "Rehearse", "Remedy", "Replay", "Stay", "Windows"]
