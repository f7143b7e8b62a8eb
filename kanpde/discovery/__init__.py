"""From data, trained networks and solved equations to laws with a verdict."""
