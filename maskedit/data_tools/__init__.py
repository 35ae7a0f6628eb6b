"""The published CelebAMask-HQ download made into training pairs, and any folder of pairs checked: no torch needed."""
