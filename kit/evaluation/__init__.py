"""From questions to stored answers and likelihoods, and the guards that both must pass."""
