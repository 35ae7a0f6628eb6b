"""The strip that tells how far learning a face has come."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit, QMainWindow

from maskedit.gui.panels.learn_bar import LearnBar
from tests.gui.harness import LEFT


@pytest.fixture
def bar(qapp):
    window = QMainWindow()
    window.setCentralWidget(QLineEdit())
    bar = LearnBar()
    window.statusBar().addPermanentWidget(bar)
    window.show()
    window.activateWindow()
    QTest.qWaitForWindowExposed(window, 2000)
    bar.stops = []
    bar.cancelled.connect(lambda: bar.stops.append(True))
    yield bar
    window.close()
    window.deleteLater()


def test_it_comes_and_goes(bar):
    assert bar.isHidden()
    height = bar.window().statusBar().height()
    bar.show_progress(34, 150, "Learning this face: 34 of 150, 26.1 dB")
    assert bar.isVisible()
    assert (bar.bar.value(), bar.bar.maximum()) == (34, 150)
    assert bar.text.text() == bar.bar.accessibleName() == "Learning this face: 34 of 150, 26.1 dB"
    QTest.qWait(20)
    assert bar.window().statusBar().height() <= height + 4  # the views do not jump
    bar.finish()
    assert bar.isHidden()
    assert bar.stops == []


def test_stop_is_told_once(bar):
    bar.show_progress(1, 150, "Learning")
    QTest.mouseClick(bar.stop, LEFT)
    QTest.mouseClick(bar.stop, LEFT)
    bar.show_progress(2, 150, "Learning")  # a step that was on its way
    QTest.mouseClick(bar.stop, LEFT)
    assert bar.stops == [True]
    assert bar.stop.text() == "Stopping…"
    bar.finish()
    bar.show_progress(1, 150, "Learning another one")
    assert bar.stop.text() == "Stop"
    QTest.mouseClick(bar.stop, LEFT)
    assert bar.stops == [True, True]


def test_a_click_leaves_the_focus_where_it_is(bar):
    line = bar.window().centralWidget()
    line.setFocus()
    bar.show_progress(1, 150, "Learning")
    QTest.mouseClick(bar.stop, LEFT)
    assert line.hasFocus()
    assert bar.stop.focusPolicy() == Qt.FocusPolicy.TabFocus  # keys reach it all the same
