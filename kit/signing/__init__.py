"""Keys, trust and signatures of a result: the three of a key, and the bundle of an identity."""
