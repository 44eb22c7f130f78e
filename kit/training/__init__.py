"""One adapter: the worker that makes it, its steps, the loop, checkpoints and costs."""
