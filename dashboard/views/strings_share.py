"""Words of the part of the app called "share", English beside Traditional Chinese, by key."""

SHARE: dict[str, tuple[str, str]] = {
}
