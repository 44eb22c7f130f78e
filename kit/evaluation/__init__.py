"""From questions to stored answers and likelihoods, and the guards that both must pass."""

SECOND_ENGINE = "transformers"  # of the agreement check: stacks adapters exactly as in training
