"""Being written."""


class StateDict:
    """Being written."""

    def specs(self):
        """None yet."""
        return ()

    def is_here(self, spec):
        """No."""
        return False
