"""The replay of a stroke in the real window, with a fake engine: every event is timed, and nothing is left behind."""

import subprocess
import tempfile

import pytest
from PySide6.QtCore import QEvent

from maskedit import imaging
from maskedit.bench.recording import PORTRAIT_SIDE, hand_stroke
from maskedit.bench.report import Job, stroke_line
from maskedit.bench.stroke import replay, rows
from maskedit.errors import UserError
from maskedit.gui.dialogs.dialogs import Dialogs
from maskedit.labels import BY_NAME
from maskedit.resources import portrait
from tests.gui.harness import Answers, FakeEngine


class Engine(FakeEngine):
    """A fake that counts how often it was asked for preparations."""

    prepared = 0

    def idle(self, cancelled=None):
        self.prepared += 1
        return self.prepared < 3


@pytest.fixture(autouse=True)
def answers(monkeypatch):
    """A question fails the test: nobody sits before a benchmark."""
    answers = Answers()
    for name in answers.NAMES:
        monkeypatch.setattr(Dialogs, name, lambda _, *arguments, name=name: answers.give(name, *arguments))
    return answers


@pytest.mark.slow
def test_every_event_is_painted_and_previewed(qapp, tmp_path, monkeypatch, kept, answers):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    engine = Engine()
    stroke = hand_stroke(0.5)
    done = replay(lambda: engine, stroke)
    assert engine.prepared == 3
    assert len(done.moments) == len(stroke) + 1
    assert done.moments[0].kind == QEvent.Type.MouseButtonPress
    assert done.moments[-1].kind == QEvent.Type.MouseButtonRelease
    assert len(done.paint) == len(stroke)
    assert min(done.paint) > 0
    changed = [moment for moment in done.moments if moment.changed]
    assert len(changed) > len(stroke) // 2
    assert len(done.preview) == len(changed)
    for moment in changed:
        assert moment.due < moment.previewed
    revisions = [moment.revision for moment in done.moments]
    assert revisions == sorted(revisions)
    assert 1 <= len(done.updates) <= sum(done.modes.values())
    assert done.seconds == pytest.approx(0.5)
    assert done.updates[-1] >= max(moment.previewed for moment in changed)
    assert done.longest_gap > 0
    assert done.settled >= 0
    # The picture that was waited for is the one of the whole stroke.
    hair = BY_NAME["hair"].id
    before = imaging.read_labels(portrait("collins")[1])
    last = engine.rendered[-1]
    assert (last != before).any()
    assert (last[last != before] == hair).all()
    # Neither settings nor recovery files, nor the folder in which they were meanwhile.
    assert not kept.exists()
    assert list(tmp_path.iterdir()) == []
    assert answers.asked == []


@pytest.mark.slow
def test_boxes_are_counted_and_the_full_result_is_waited_for(qapp):
    class Boxes(Engine):
        has_quick = True

        def update(self, labels):
            return self.result(imaging.colourise(labels), 0.001, "quick")

    engine = Boxes(0.02)
    done = replay(lambda: engine, hand_stroke(0.3))
    assert set(done.modes) == {"quick", "full"}
    assert len(done.preview) == sum(moment.changed for moment in done.moments)
    before, hair = imaging.read_labels(portrait("collins")[1]), BY_NAME["hair"].id
    assert (engine.rendered[-1] != before).sum() > 100
    assert (engine.rendered[-1] == hair).sum() > (before == hair).sum()


def test_the_rows_of_a_replay(qapp, tmp_path):
    done = replay(Engine, hand_stroke(0.2))
    job = Job("tiny", tmp_path / "file", True, "cpu", "auto", 64, 1.0, 0, ())
    paint, preview, final = rows(job, done, "fake")
    assert (paint.count, preview.count, final.count) == (len(done.paint), len(done.preview), 1)
    for row in (paint, preview):
        assert min(row.p50, row.p95) > 0
        assert row.screen == done.screen
    assert sum(preview.modes.values()) == sum(done.modes.values())
    assert paint.longest_gap == done.longest_gap


@pytest.mark.slow
def test_busy_processes_run_beside_it_and_end_with_it(qapp, monkeypatch, tmp_path):
    started = []

    def watched(command):
        started.append(popen(command))
        assert started[-1].poll() is None
        return started[-1]

    popen = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", watched)
    done = replay(Engine, hand_stroke(0.2), load=2)
    assert len(started) == 2
    assert all(process.poll() is not None for process in started)
    job = Job("tiny", tmp_path / "file", True, "cpu", "auto", 64, 1.0, 0, (), load=2)
    paint, preview, _ = rows(job, done, "fake")
    assert paint.load == 2
    assert "beside 2 busy processes" in stroke_line(preview)


def test_a_render_that_fails_ends_it(qapp, kept):
    engine = Engine()
    engine.error = RuntimeError("no such layer")
    with pytest.raises(UserError, match="no such layer"):
        replay(lambda: engine, hand_stroke(0.1))
    assert not kept.exists()


def test_an_engine_that_cannot_be_made_ends_it(qapp, kept):
    def make():
        raise UserError("The weights are not there.")

    with pytest.raises(UserError, match="The weights are not there"):
        replay(make, hand_stroke(0.1))
    assert not kept.exists()


def test_the_hand_is_the_same_every_time():
    stroke = hand_stroke()
    assert stroke == hand_stroke()
    assert len(stroke) == 360
    assert stroke[0].milliseconds == 0
    assert stroke[-1].milliseconds == pytest.approx(3000)
    labels = imaging.read_labels(portrait("collins")[1])
    assert labels.shape == (PORTRAIT_SIDE, PORTRAIT_SIDE)
    # Along the edge of the hair: hair under some of the brush, something else under the rest.
    hair = BY_NAME["hair"].id
    near = 0
    for point in stroke:
        patch = labels[int(point.y) - 12 : int(point.y) + 12, int(point.x) - 12 : int(point.x) + 12] == hair
        near += patch.any() and not patch.all()
    assert near > 0.8 * len(stroke)
