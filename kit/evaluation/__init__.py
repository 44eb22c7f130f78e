"""From questions to stored answers and likelihoods, with the guards that they must pass."""
