"""The verbs that run.sh does without Python: their help, and their place in lists."""

import click


@click.command()
def image() -> None:
    """Build or export the container image: ./run.sh image --help."""
    raise click.UsageError("build the image with ./run.sh image")


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print what completes verbs, options, manifests and results.

    \b
    bash, zsh: source <(./run.sh completion SHELL)
    fish: ./run.sh completion fish | source

    In your shell's start-up file, write the path of the kit in front of run.sh. Needs no Python.
    """
    raise click.UsageError(f"print it with ./run.sh completion {shell}")
