"""A letter for every entry of a menu, so that Alt and letters reach all of it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from PySide6.QtWidgets import QMenu


def with_mnemonics(texts: Sequence[str]) -> list[str]:
    """The texts of one menu, each with ``&`` before a letter that no other has; first come, first served.

    The beginnings of words are taken before other letters. A text whose letters are all taken goes without.
    """
    taken: set[str] = set()
    given = []
    for text in texts:
        # A doubled & is one that is shown; what a single one marked is chosen anew.
        plain = re.sub("&(&?)", r"\1\1", text)
        places = [match.start() for match in re.finditer(r"\b\w|\w", plain)]
        places.sort(key=lambda at: at > 0 and plain[at - 1].isalnum())
        place = next((at for at in places if plain[at].casefold() not in taken), None)
        if place is not None:
            taken.add(plain[place].casefold())
            plain = f"{plain[:place]}&{plain[place:]}"
        given.append(plain)
    return given


def give_mnemonics(menu: QMenu) -> None:
    """Whenever the menu opens its entries get their letters: some texts change, as that of Undo does."""

    def give() -> None:
        actions = [action for action in menu.actions() if action.isVisible() and not action.isSeparator()]
        for action, text in zip(actions, with_mnemonics([action.text() for action in actions]), strict=True):
            action.setText(text)

    menu.aboutToShow.connect(give)
