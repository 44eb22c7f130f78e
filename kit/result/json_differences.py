"""Where a JSON value differs from the right one, place by place."""

from collections.abc import Iterator

_ABSENT = object()  # a missing key is not the same as null


def differences(said: object, right: object, place: str = "predicate") -> Iterator[str]:
    """Yield the places where a stated predicate is not the right one, with both values."""
    if isinstance(said, dict) and isinstance(right, dict):
        for name in sorted({*said, *right}, key=str):
            pair = (said.get(name, _ABSENT), right.get(name, _ABSENT))
            yield from differences(*pair, f"{place}.{name}")
    elif isinstance(said, list) and isinstance(right, list) and len(said) == len(right):
        for number, pair in enumerate(zip(said, right, strict=True)):
            yield from differences(*pair, f"{place}[{number}]")
    elif said is not right and (type(said) is not type(right) or said != right):
        yield f"{place} is {_brief(said)}, but {_brief(right)} follows"


def _brief(value: object) -> str:
    if value is _ABSENT:
        return "absent"
    if isinstance(value, list):
        names = [v.get("id", v.get("name", "?")) if isinstance(v, dict) else v for v in value]
        return f"a list of {len(value)}: {', '.join(ascii(name) for name in names)}"[:200]
    return ascii(value)[:200]
