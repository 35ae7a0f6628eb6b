"""``maskedit-edit``: edit faces without a window."""
