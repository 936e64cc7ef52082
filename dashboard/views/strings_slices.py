"""Words of the part of the app called "slices", English beside Traditional Chinese, by key."""

SLICES: dict[str, tuple[str, str]] = {
}
