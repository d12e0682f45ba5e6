"""uscdr: disaster recovery for USC-PIS."""

__version__ = "0.1.0"
