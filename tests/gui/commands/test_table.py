"""The table of commands."""

from PySide6.QtGui import QKeySequence

from maskedit.gui.commands.handlers import Commands
from maskedit.gui.commands.table import COMMANDS, MOUSE_KEYS


def test_every_key_belongs_to_one_command():
    keys = [QKeySequence(key).toString() for command in COMMANDS for key in command.keys]
    keys += [*"0123456789", "Space", "C", "Return", "Backspace", "Del", "Up", "Down", "Left", "Right"]
    assert "" not in keys
    assert len(keys) == len(set(keys)), sorted(key for key in keys if keys.count(key) > 1)


def test_no_key_is_spelled_by_what_shift_makes_of_it():
    """Under X11 Shift+] is } as well: of one command with both Qt says that the key is ambiguous, and does nothing."""
    keys = {key for command in COMMANDS for key in command.keys}
    assert not keys & set('{}|:"<>~!@#$%^&*()_+')
    assert {"Shift+[", "Shift+]"} <= keys


def test_every_command_has_a_handler_and_every_handler_a_command(window):
    handlers = set(Commands(window).by_id)
    assert handlers == {command.id for command in COMMANDS}
    assert len({command.id for command in COMMANDS}) == len(COMMANDS)


def test_every_command_says_what_it_does():
    assert all(command.text and command.tip and command.menu for command in COMMANDS)
    assert all(command.icon for command in COMMANDS if command.bar)
    assert all(keys and text for keys, text in MOUSE_KEYS)
