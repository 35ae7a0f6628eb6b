"""Boxes while the brush moves, a full render when it rests: the window with an engine that has both."""

import time

import numpy as np
import pytest
from PySide6.QtTest import QTest

from maskedit import imaging
from maskedit.render.modes import FULL, QUICK, Cancelled
from tests.gui.harness import LEFT, NONE, FakeEngine, LearningEngine, at, click, drag, settle, wait


class BoxEngine(FakeEngine):
    """Renders label maps as their colours; in boxes a little too light, and quickly."""

    has_quick = True
    cache_bytes = 3 * 2**20

    def __init__(self, seconds=0.0, box_seconds=0.0, obeys=True):
        super().__init__(seconds)
        self.box_seconds, self.obeys = box_seconds, obeys
        self.modes: list[str] = []
        self.idles = self.begun = 0
        self.left = 0
        """How often there is something to do in quiet times."""

    def render(self, labels, *, cancelled=None):
        self.begun += 1
        end = time.monotonic() + self.seconds
        while time.monotonic() < end:
            if self.obeys and cancelled():
                self.modes.append("cancelled")
                raise Cancelled
            time.sleep(0.005)
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        self.modes.append(FULL)
        self.rendered.append(labels)
        return self.result(imaging.colourise(labels), self.seconds)

    def update(self, labels):
        time.sleep(self.box_seconds)
        self.modes.append(QUICK)
        self.rendered.append(labels)
        return self.result(lighter(labels), self.box_seconds, QUICK)

    def idle(self, cancelled):
        if not self.left:
            return False
        end = time.monotonic() + 0.2
        while time.monotonic() < end:
            if cancelled():
                raise Cancelled
            time.sleep(0.005)
        self.left, self.idles = self.left - 1, self.idles + 1
        return True


def lighter(labels):
    return np.minimum(imaging.colourise(labels).astype(int) + 3, 255).astype(np.uint8)


def shows(window, picture):
    return np.array_equal(window.editor.render.result, picture(window.editor.document.labels))


def test_the_window_shows_boxes_then_the_full_render(open_window):
    engine = BoxEngine(0.9, 0.01)
    window = open_window(engine)
    settle(window)
    assert window.status["preview"] == "up to date, full 900 ms"
    QTest.mousePress(window.canvas, LEFT, NONE, at(window, 60, 60))
    for x in range(64, 160, 8):
        QTest.mouseMove(window.canvas, at(window, x, 60))
        QTest.qWait(10)
    wait(lambda: shows(window, lighter))
    assert engine.modes.count(QUICK) >= 2
    assert not window.editor.render.up_to_date
    assert window.status["preview"] == "following, quick 10 ms"
    wait(lambda: engine.modes[-1] == FULL)  # it rests
    settle(window)
    assert window.editor.document.stroke is not None
    assert shows(window, imaging.colourise)
    QTest.mouseRelease(window.canvas, LEFT, NONE, at(window, 160, 60))
    settle(window)
    assert "3 MB" in window.status.parts["engine"].toolTip()


def test_a_full_render_under_way_does_not_hold_up_the_brush(open_window):
    engine = BoxEngine(1.5, 0.01)
    window = open_window(engine)
    settle(window)
    drag(window, (60, 60), (100, 60))
    wait(lambda: window.editor.render.live._in_flight == FULL)
    QTest.mousePress(window.canvas, LEFT, NONE, at(window, 60, 160))
    QTest.mouseMove(window.canvas, at(window, 80, 160))
    wait(lambda: shows(window, lighter))
    assert engine.modes.count(FULL) == 1
    QTest.mouseRelease(window.canvas, LEFT, NONE, at(window, 80, 160))
    settle(window)
    assert shows(window, imaging.colourise)


@pytest.mark.slow
def test_what_was_overtaken_may_fail(open_window):
    """Nobody hears of it; the box render that overtook it, and the full one after that, are there."""
    engine = BoxEngine(1.0, 0.01, obeys=False)
    window = open_window(engine)
    settle(window)
    drag(window, (60, 60), (100, 60))
    wait(lambda: engine.begun == 2)
    engine.error = RuntimeError("out of luck")
    QTest.mousePress(window.canvas, LEFT, NONE, at(window, 60, 160))
    wait(lambda: shows(window, lighter))
    QTest.mouseRelease(window.canvas, LEFT, NONE, at(window, 60, 160))
    settle(window)
    assert engine.error is None
    assert window.messages == []
    assert window.editor.render.live.enabled
    assert shows(window, imaging.colourise)


def test_with_live_off_a_box_is_not_called_up_to_date(open_window):
    window = open_window(BoxEngine(1.0, 0.01))
    settle(window)
    drag(window, (60, 60), (100, 60))
    wait(lambda: shows(window, lighter))
    window.editor.render.set_live(False)
    wait(lambda: not window.editor.render.live.in_flight)
    click(window, 150, 60)
    assert window.status["preview"] == "out of date"


@pytest.mark.slow
def test_the_brush_may_move_while_a_face_is_learned(open_window):
    class Both(BoxEngine, LearningEngine):
        def __init__(self):
            BoxEngine.__init__(self, 0.05, 0.01)
            LearningEngine.__init__(self, steps=60)
            self.seconds = 0.05

        def render(self, labels, *, cancelled=None):
            return BoxEngine.render(self, labels, cancelled=cancelled)

    engine = Both()
    window = open_window(engine)
    settle(window)
    window.editor.tuning.begin()
    wait(lambda: window.editor.tuning.progress is not None)
    QTest.mousePress(window.canvas, LEFT, NONE, at(window, 20, 60))
    x = 20
    while window.editor.tuning.progress is not None:
        x = x + 3 if x < 230 else 20
        QTest.mouseMove(window.canvas, at(window, x, 60))
        QTest.qWait(5)
    QTest.mouseRelease(window.canvas, LEFT, NONE, at(window, x, 60))
    settle(window)
    assert window.editor.document.face_weights == b"learned"
    assert [text for level, text in window.messages if level == "error"] == []


@pytest.mark.slow
@pytest.mark.parametrize("obeys", [True, False])
def test_no_result_is_older_than_the_one_before_it(open_window, obeys):
    engine = BoxEngine(0.15, 0.01, obeys=obeys)
    window = open_window(engine)
    settle(window)
    editor, seen = window.editor, []
    editor.render.result_changed.connect(
        lambda: seen.append((editor.render.rendered.request.revision, editor.render.rendered.result.mode))
    )
    random = np.random.default_rng(0)
    for _ in range(12):
        QTest.mousePress(window.canvas, LEFT, NONE, at(window, *random.integers(20, 230, 2)))
        for _ in range(random.integers(1, 6)):
            QTest.mouseMove(window.canvas, at(window, *random.integers(20, 230, 2)))
            QTest.qWait(int(random.integers(0, 120)))
        QTest.mouseRelease(window.canvas, LEFT, NONE, at(window, *random.integers(20, 230, 2)))
        if random.random() < 0.3:
            editor.undo()
        QTest.qWait(int(random.integers(0, 250)))
    settle(window)
    revisions = [revision for revision, _ in seen]
    assert revisions == sorted(revisions)
    assert {mode for _, mode in seen} == {FULL, QUICK}
    assert seen[-1] == (editor.document.revision, FULL)
    assert shows(window, imaging.colourise)


def test_what_is_written_is_the_full_render(open_window, tmp_path):
    window = open_window(BoxEngine(0.3, 0.01))
    settle(window)
    drag(window, (60, 60), (100, 60))
    wait(lambda: shows(window, lighter))
    written = []
    window.editor.render.when_up_to_date(lambda: written.append(window.editor.render.result.copy()))
    assert not written
    wait(lambda: written)
    np.testing.assert_array_equal(written[0], imaging.colourise(window.editor.document.labels))


def test_quiet_times_are_used_and_end_when_there_is_work(open_window):
    engine = BoxEngine()
    window = open_window(engine)
    settle(window)
    engine.left = 2
    click(window, 60, 60)
    wait(lambda: engine.idles == 2)
    engine.left = 10**6
    click(window, 90, 60)
    settle(window)
    QTest.qWait(50)
    for x in (120, 150):
        click(window, x, 60)
        settle(window)
        assert shows(window, imaging.colourise)
    engine.left = 0


def test_an_engine_that_fails_in_quiet_times_is_left_alone(open_window):
    engine = BoxEngine()
    window = open_window(engine)
    settle(window)

    def fails(cancelled):
        raise RuntimeError("no")

    engine.idle = fails
    click(window, 60, 60)
    settle(window)
    assert window.messages == []
    assert shows(window, imaging.colourise)
