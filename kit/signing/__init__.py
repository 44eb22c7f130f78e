"""Keys, trust and signatures: three signatures by a key, and the bundle of an identity."""
