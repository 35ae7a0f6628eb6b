"""The weights that draw: their card, and buttons that put others in their place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QFontDatabase, QIcon
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

if TYPE_CHECKING:
    from maskedit.gui.files.weights import Weights


class WeightsDialog(QDialog):
    """Shows what ``weights`` know, and follows them."""

    def __init__(self, weights: Weights, parent: QWidget | None = None):
        super().__init__(parent)
        self.setWindowTitle("Weights")
        self.resize(640, 520)
        self._weights = weights
        self.facts = QFormLayout()
        self.facts.setHorizontalSpacing(16)
        self.card = QPlainTextEdit(readOnly=True)
        self.card.setAccessibleName("The whole model card")
        self.card.setPlaceholderText("The card is read…")
        self.card.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.card.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.note = QLabel(wordWrap=True)
        self.note.setTextFormat(Qt.TextFormat.PlainText)  # file names are no HTML
        self.bar = QProgressBar(textVisible=False, maximum=0)  # nobody knows how long it takes
        self.bar.setFixedHeight(8)
        self.bar.setAccessibleName("Weights are being loaded")
        self.choose = QPushButton("&Choose…", toolTip="A file of weights (.safetensors)")
        self.published = QPushButton(
            "&Import the published checkpoint…", toolTip="Convert the MaskGAN authors' latest_net_G.pth"
        )
        self.bundled = QPushButton("Back to the &bundled weights")
        buttons = QHBoxLayout()
        for button, run in (
            (self.choose, weights.choose),
            (self.published, weights.import_published),
            (self.bundled, lambda: weights.use(weights=None)),
        ):
            button.setAutoDefault(False)
            button.clicked.connect(lambda _=False, run=run: run())
            buttons.addWidget(button)
        close = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        close.rejected.connect(self.reject)
        close.buttons()[0].setIcon(QIcon())  # Fusion's cross is black in a dark theme, too
        column = QVBoxLayout(self)
        column.setSpacing(10)
        column.addLayout(self.facts)
        column.addWidget(self.card, 1)
        column.addLayout(buttons)
        column.addWidget(self.note)
        column.addWidget(self.bar)
        column.addWidget(close)
        weights.changed.connect(self._show)
        self._show()

    @Slot()
    def _show(self) -> None:
        weights, card = self._weights, self._weights.card
        while self.facts.rowCount():
            self.facts.removeRow(0)
        for title, text in card.facts or (("File", str(weights.path or "none")),):
            value = QLabel(text, wordWrap=True)
            value.setTextFormat(Qt.TextFormat.PlainText)  # a card's lines are a stranger's
            value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            self.facts.addRow(title, value)
        if card.text != self.card.toPlainText():
            self.card.setPlainText(card.text)
        self.note.setText(weights.note)
        self.note.setVisible(bool(weights.note))
        self.bar.setVisible(weights.busy)
        for button in (self.choose, self.published):
            button.setEnabled(not weights.busy)
        self.bundled.setEnabled(not weights.busy and not weights.settled)
