"""Enhancement: how near pictures come to their references, and what can be said of them without one."""
