"""What the person likes: set at once, remembered, in one place."""

import pytest
from PySide6.QtCore import QSettings, Qt
from PySide6.QtGui import QPalette

from maskedit.gui import theme
from maskedit.gui.dialogs.preferences import PreferencesDialog
from maskedit.gui.preferences import DEFAULTS, Preferences
from maskedit.render.modes import ENGINES
from tests.gui.harness import CTRL, FakeEngine, key, settle, wait


@pytest.fixture
def settings(tmp_path):
    return QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat)


@pytest.mark.parametrize("name", sorted(DEFAULTS))
def test_a_preference_comes_back_with_its_type_and_is_followed(settings, name):
    values = []
    Preferences(settings).follow(name, values.append)
    assert values == [DEFAULTS[name]]
    other = {str: "other", bool: not DEFAULTS[name], int: 120}[type(DEFAULTS[name])]
    preferences = Preferences(settings)
    preferences.follow(name, values.append)
    preferences[name] = other
    assert values == [DEFAULTS[name], DEFAULTS[name], other]
    settings.sync()
    assert Preferences(QSettings(settings.fileName(), QSettings.Format.IniFormat))[name] == other


def test_a_theme_is_used_where_the_desktop_reports_none(qapp):
    before = qapp.palette()
    try:
        lightness = {}
        for scheme in ("light", "dark", "system", "no such scheme"):
            theme.apply(qapp, scheme)
            window, text = (qapp.palette().color(role).lightness() for role in (QPalette.Window, QPalette.WindowText))
            lightness[scheme] = window
            assert abs(window - text) > 150
            assert qapp.palette().color(QPalette.Highlight) == theme.ACCENT
        assert lightness["dark"] < 80 < 200 < lightness["light"]
        assert lightness["system"] == lightness["no such scheme"]
    finally:
        theme.apply(qapp, "system")
        qapp.setPalette(before)


@pytest.fixture
def dialog(open_window):
    made = []

    def choosing(choice):
        if choice.engine == "graph":
            raise RuntimeError("no GPU here")
        made.append(choice.engine)
        return FakeEngine()

    window = open_window(None, choosing=choosing)
    settle(window)
    dialog = PreferencesDialog(window.preferences, window.actions_by_id, window.weights, window)
    yield window, dialog, made
    dialog.deleteLater()


def choose(box, row):
    box.setCurrentIndex(row)
    box.activated.emit(row)


def test_the_dialog_sets_what_it_shows_at_once(dialog):
    window, dialog, _ = dialog
    choose(dialog.theme, 2)
    choose(dialog.palette_choice, 1)
    dialog.toggles["bar_text"].click()
    dialog.toggles["live"].click()
    dialog.autosave.setValue(300)
    choose(dialog.layout_choice, dialog.layout_choice.findData("layout_over"))
    assert window.view_area.layout_name == "over"
    preferences = window.preferences
    kept = {name: preferences[name] for name in ("theme", "colour_blind", "bar_text", "live", "autosave")}
    assert kept == {"theme": "dark", "colour_blind": True, "bar_text": True, "live": False, "autosave": 300}
    assert window.editor.colour_blind
    assert not window.editor.render.live.enabled
    assert window.menus.bar.toolButtonStyle() == Qt.ToolButtonStyle.ToolButtonTextBesideIcon
    assert window.files.recovery._timer.interval() == 300_000
    again = type(window)(window.editor, window._settings)
    assert again.actions_by_id["colour_blind"].isChecked()
    assert again.actions_by_id["bar_text"].isChecked()
    assert not again.actions_by_id["live"].isChecked()
    dialog._restore()
    assert {name: preferences[name] for name in kept} == {name: DEFAULTS[name] for name in kept}
    assert window.actions_by_id["live"].isChecked()
    assert window.view_area.layout_name == "auto"


def test_another_engine_draws_at_once_and_one_that_cannot_be_made_leaves_the_old_one(dialog):
    window, dialog, made = dialog
    choose(dialog.engine, ENGINES.index("int8"))
    wait(lambda: window.preferences["engine"] == "int8")
    settle(window)
    assert made == ["auto", "int8"]
    choose(dialog.engine, ENGINES.index("graph"))
    wait(lambda: "no GPU here" in dialog.note.text())
    assert window.preferences["engine"] == "int8"
    assert dialog.engine.currentData() == "int8"
    window.messages.clear()


def test_ctrl_comma_opens_the_preferences(window, answers):
    answers.ask_preferences = [None]
    key(window, Qt.Key.Key_Comma, CTRL)
    assert answers.asked == ["ask_preferences"]


def test_live_preview_that_a_failure_turned_off_is_on_at_the_next_start(window, engine):
    engine.error = RuntimeError("out of order")
    window.editor.render.render_now()
    wait(lambda: not window.actions_by_id["live"].isChecked())
    assert window.preferences["live"]
