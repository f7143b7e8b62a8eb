"""From trained networks and data to laws."""
