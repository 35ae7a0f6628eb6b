"""What the worker does of what waits, step by step in this thread."""

import numpy as np

from maskedit.gui.rendering.jobs import JobQueue
from maskedit.gui.rendering.messages import Mailbox, RenderRequest
from maskedit.gui.rendering.worker import SHOW_EVERY, RenderWorker
from maskedit.render.compositing import WHOLE_FACE
from tests.gui.harness import LearningEngine, make_document


def test_what_is_learned_shows_no_labels_that_have_been_undone(qapp):
    document, mailbox = make_document(), Mailbox()
    worker = RenderWorker(mailbox, JobQueue(), LearningEngine, lambda: None)
    pictures = []
    worker.rendered.connect(pictures.append)
    worker.glimpsed.connect(pictures.append)

    def ask(sequence: int) -> None:
        own, labels = document.reference_labels, document.snapshot()
        mailbox.put(RenderRequest(sequence, document.revision, document.photo, own, labels, WHOLE_FACE, None))

    worker.begin_learning(document.photo, document.reference_labels)
    document.fill(128, 150, 14)
    ask(1)
    for _ in range(1 + SHOW_EVERY):
        worker.work()
    assert [picture.request.sequence for picture in pictures] == [1, 1]  # as it was asked for, and a live one
    for _ in range(SHOW_EVERY - 1):
        worker.work()
    document.undo()
    ask(2)
    worker._learn_on()  # the step that was under way
    worker.work()
    assert [picture.request.sequence for picture in pictures[2:]] == [2]
    assert np.array_equal(pictures[-1].request.labels, document.labels)
