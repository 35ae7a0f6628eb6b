"""What goes between the threads."""

from maskedit.gui.rendering.messages import Mailbox


def test_mailbox_holds_the_newest_only():
    box = Mailbox()
    assert box.take() is None
    box.put("first")
    box.put("second")
    assert box.take() == "second"
    assert box.take() is None
    box.put("third")
    box.put(None)
    assert box.take() is None
