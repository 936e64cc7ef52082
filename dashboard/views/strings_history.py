"""Words of the part of the app called "history", English beside Traditional Chinese, by key."""

HISTORY: dict[str, tuple[str, str]] = {
}
