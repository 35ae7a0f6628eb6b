"""The menus and the tool bar."""

from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QMenu,
    QPlainTextEdit,
    QProgressBar,
    QToolBar,
    QTreeWidget,
)

from maskedit.gui.commands.mnemonics import with_mnemonics
from maskedit.gui.commands.table import COMMANDS, PURPOSES
from maskedit.gui.dialogs.batch import BatchDialog
from maskedit.gui.dialogs.command_search import CommandPalette
from maskedit.gui.dialogs.export import ExportDialog
from maskedit.gui.dialogs.preferences import PreferencesDialog
from maskedit.gui.dialogs.weights import WeightsDialog

CONTROLS = (
    *(QAbstractButton, QAbstractSlider, QAbstractSpinBox, QComboBox, QLineEdit),
    *(QTreeWidget, QPlainTextEdit, QProgressBar),
)


def test_the_tool_bar_is_grouped_by_what_buttons_are_for(window):
    ids = {action: id for id, action in window.actions_by_id.items()}
    purpose = {command.id: command.purpose for command in COMMANDS}
    groups = [[]]
    for bar in window.findChildren(QToolBar):
        for action in bar.actions():
            if action.isSeparator():
                groups.append([])
            elif action in ids:
                groups[-1].append(ids[action])
    kinds = [{purpose[id] for id in group} for group in groups]
    assert kinds == [{purpose} for purpose in PURPOSES if purpose != "Help"]
    assert {id for group in groups for id in group} == {command.id for command in COMMANDS if command.bar}


def test_words_stand_beside_the_icons_and_are_remembered(window):
    bars = window.findChildren(QToolBar)
    window.actions_by_id["bar_text"].trigger()
    assert {bar.toolButtonStyle() for bar in bars} == {Qt.ToolButtonStyle.ToolButtonTextBesideIcon}
    assert window.toolBarBreak(bars[1])
    assert window.preferences["bar_text"]
    undo = bars[0].widgetForAction(window.actions_by_id["undo"])
    window.actions_by_id["undo"].setText("Undo Brush")  # the menu says what; the button keeps its width
    assert undo.text() == "Undo"
    window.actions_by_id["bar_text"].trigger()
    assert {bar.toolButtonStyle() for bar in bars} == {Qt.ToolButtonStyle.ToolButtonIconOnly}
    assert not window.toolBarBreak(bars[1])


def test_a_tip_names_the_key(window):
    assert window.actions_by_id["brush"].toolTip().startswith("Brush (B): ")


def test_every_entry_of_a_menu_has_a_letter_of_its_own(window):
    for top in window.menuBar().actions():
        for menu in (top.menu(), *top.menu().findChildren(QMenu)):
            menu.aboutToShow.emit()
            texts = [action.text() for action in menu.actions() if not action.isSeparator()]
            letters = [text[text.index("&") + 1].casefold() for text in texts if "&" in text]
            assert len(set(letters)) == len(letters)
            assert len(letters) == len(texts), [text for text in texts if "&" not in text]


def test_letters_are_given_anew_and_a_written_ampersand_stays():
    given = with_mnemonics(["Undo", "Undo Brush", "R&&D.jpg", "u"])
    assert given == ["&Undo", "Undo &Brush", "&R&&D.jpg", "u"]
    assert with_mnemonics(given) == given


def test_every_control_has_a_name_for_a_screen_reader(window):
    dialogs = (
        PreferencesDialog(window.preferences, window.actions_by_id, window.weights, window),
        WeightsDialog(window.weights, window),
        ExportDialog(window),
        CommandPalette([], window),
        BatchDialog("", window),
    )
    nameless = [
        f"{widget} in {widget.parentWidget()}"
        for kind in CONTROLS
        for widget in window.findChildren(kind)  # the dialogs are children of the window, too
        if not QAccessible.queryAccessibleInterface(widget).text(QAccessible.Text.Name)
        and not isinstance(widget.parentWidget(), CONTROLS)  # a part that Qt makes
        and not (widget.objectName() + widget.parentWidget().objectName()).startswith("qt_")
    ]
    assert nameless == []
    for dialog in dialogs:
        dialog.deleteLater()
