"""Train one adapter: the worker, the steps, the loop, checkpoints and costs."""
