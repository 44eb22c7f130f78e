"""Addresses of repositories on the Hugging Face hub."""

HUB = "https://huggingface.co"


def repository_page(repo: str, repo_type: str, hub: str = HUB) -> str:
    """Return the address of a repository's page; its type is "dataset" or "model"."""
    kind = "datasets/" if repo_type == "dataset" else ""
    return f"{hub}/{kind}{repo}"
