"""The command palette, and the sheet with every key."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel

from maskedit.gui.commands.table import COMMANDS, PURPOSES
from maskedit.gui.dialogs.command_search import Choice, CommandPalette, ranked
from maskedit.gui.dialogs.shortcut_sheet import shortcut_sheet, written
from maskedit.labels import BY_NAME
from tests.gui.harness import CTRL, SHIFT, key


def choice(name, kind="Tools", tip="", **options):
    return Choice(name, kind, name, lambda: None, tip, **options)


def names(text, *choices):
    return [found.name for found in ranked(choices, text)]


def test_whole_words_come_first_then_beginnings_then_parts():
    choices = choice("Wheelchair"), choice("Hairy"), choice("Hair"), choice("Bald", tip="no hair at all")
    assert names("hair", *choices) == ["Hair", "Hairy", "Wheelchair", "Bald"]
    assert names("", *choices) == [one.name for one in choices]
    assert names("BRUSH larger", choice("Brush"), choice("Larger brush")) == ["Larger brush"]
    assert names("tools brush", choice("Brush"), choice("Brush", kind="View")) == ["Brush"]


def test_a_tip_and_loose_letters_count_only_where_nothing_is_named_so():
    detail = choice("Keep the photo's detail", tip="carry freckles and hairs over")
    assert names("hair", choice("Hair"), detail) == ["Hair"]
    assert names("freck", choice("Hair"), detail) == ["Keep the photo's detail"]
    assert names("ktpd", choice("Hair"), detail) == ["Keep the photo's detail"]
    assert names("no such command", choice("Hair"), detail) == []


@pytest.fixture
def palette(window):
    choices = choice("Brush"), choice("Larger brush"), choice("Redo", enabled=False), choice("Hair", colour=(0, 0, 204))
    dialog = CommandPalette(choices, window)
    yield dialog
    dialog.deleteLater()


def test_the_keys_of_the_command_palette(palette):
    QTest.keyClicks(palette.line, "brush")
    QTest.keyClick(palette.line, Qt.Key.Key_Down)
    assert palette.list.currentItem().text(0) == "Tools: Larger brush"
    QTest.keyClick(palette.line, Qt.Key.Key_Up)
    QTest.keyClick(palette.line, Qt.Key.Key_Return)
    assert palette.chosen.name == "Brush"


@pytest.mark.parametrize("text", ["redo", "no such command"])
def test_what_cannot_be_run_is_not_chosen(palette, text):
    palette.line.setText(text)
    QTest.keyClick(palette.line, Qt.Key.Key_Return)
    assert palette.chosen is None


def test_commands_classes_and_recent_files_are_found_and_run(window, answers, tmp_path):
    answers.ask_save = [tmp_path / "anna.maskedit"]
    window.files.save()
    before = window.editor.document
    answers.ask_command = [lambda choices, text=text: ranked(choices, text)[0] for text in ("erase", "hair", "anna")]
    for _ in range(3):
        key(window, Qt.Key.Key_P, CTRL | SHIFT)
    assert window.editor.tool == "eraser"
    assert window.actions_by_id["eraser"].isChecked()
    assert window.editor.label == BY_NAME["hair"].id
    assert window.editor.document is not before
    assert window.editor.document.path == tmp_path / "anna.maskedit"
    answers.ask_command = [None]
    key(window, Qt.Key.Key_P, CTRL | SHIFT)
    assert answers.ask_command == []


def test_the_shortcut_sheet_holds_every_key(window):
    sheet = shortcut_sheet(window)
    texts = [label.text() for label in sheet.findChildren(QLabel)]
    for command in COMMANDS:
        if command.keys:
            assert command.text.rstrip("…") in texts
            assert " or ".join(map(written, command.keys)) in texts
    assert all(texts.count(purpose) == 1 for purpose in PURPOSES)
    assert all(text[0].isupper() or not text[0].isalpha() for text in texts)
    sheet.show()
    sheet.close()
