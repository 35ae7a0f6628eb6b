"""The tool bar."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QToolBar

from maskedit.gui.commands.table import COMMANDS, PURPOSES


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
