"""What an experiment says: its manifest, its claims, and the systems that both imply."""
