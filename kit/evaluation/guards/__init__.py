"""Three guards of an evaluation: the engine's prompts, its adapters, and its answers.

An engine can tokenise a prompt in another way, silently ignore an adapter, or serve a system with
the weights of another. Its answers would look plausible, and the table would be wrong.
"""
