"""Figures as text, for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def table(
    columns: Sequence[tuple[str, int]], rows: Mapping[str, Sequence[float | None]], *, width: int = 9
) -> list[str]:
    """Text lines: titles, then a line a row.

    Args:
        columns: titles and decimals.
        rows: what stands before each line, and its values; one that is None is a dash.
        width: of a column in letters, where its title is not longer.
    """
    wide = max(map(len, rows))
    widths = [max(len(title), width) for title, _ in columns]
    lines = [" ".join([" " * wide, *(f"{title:>{width}}" for (title, _), width in zip(columns, widths, strict=True))])]
    for name, values in rows.items():
        cells = [
            f"{'-' if value is None else f'{value:.{decimals}f}':>{width}}"
            for value, (_, decimals), width in zip(values, columns, widths, strict=True)
        ]
        lines.append(" ".join([f"{name:<{wide}}", *cells]))
    return lines
