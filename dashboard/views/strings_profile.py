"""Words of the part of the app called "profile", English beside Traditional Chinese, by key."""

PROFILE: dict[str, tuple[str, str]] = {
    "ui.tab.profile": ("Speed and cost", "速度與成本"),
}
