"""The zoom and pan that the three views share."""

from __future__ import annotations

from PySide6.QtCore import QObject, QPointF, QRectF, QSizeF, Signal

MIN_ZOOM, MAX_ZOOM = 0.05, 64.0
_MARGIN = 8


class Viewport(QObject):
    """Which image point lies in the middle of each view, and how many screen pixels an image pixel takes.

    ``zoom`` is that of the main view, where one paints. A smaller or larger view shows the same part of the image,
    at its own scale. Until the person zooms or pans, the whole image is kept in view (`fit`).
    """

    changed = Signal()

    def __init__(self, parent: QObject | None = None):
        super().__init__(parent)
        self.zoom = 1.0
        self.centre = QPointF(0, 0)
        self.fitting = True
        self._image = QSizeF(1, 1)
        self._view = QSizeF(1, 1)
        self._fits: dict[tuple[float, float], float] = {}

    def set_image_size(self, width: int, height: int) -> None:
        """Another document: show all of it."""
        self._image = QSizeF(width, height)
        self._fits.clear()
        self.fit()

    def set_view_size(self, size: QSizeF) -> None:
        """The main view's size in device-independent pixels."""
        if size != self._view:
            self._view = size
            self._fits.clear()
            if self.fitting:
                self.fit()
            else:
                self.changed.emit()

    def fit(self) -> None:
        """Show the whole image."""
        self.zoom = min(max(self._fitted(self._view), MIN_ZOOM), MAX_ZOOM)
        self.centre = QPointF(self._image.width() / 2, self._image.height() / 2)
        self.fitting = True
        self.changed.emit()

    def _fitted(self, view: QSizeF) -> float:
        # Asked for some fifty times a mouse event, of the same three views.
        size = view.width(), view.height()
        fitted = self._fits.get(size)
        if fitted is None:
            across = max(16.0, size[0] - _MARGIN) / self._image.width()
            down = max(16.0, size[1] - _MARGIN) / self._image.height()
            fitted = self._fits[size] = min(across, down)
        return fitted

    def scale(self, view: QSizeF) -> float:
        """Screen pixels for an image pixel on a view of this size."""
        return self.zoom * self._fitted(view) / self._fitted(self._view)

    def set_zoom(self, zoom: float, *, fixed: QPointF | None = None) -> None:
        """Zoom so that the image point ``fixed`` (the middle when None) stays where it is on the screen."""
        zoom = min(max(zoom, MIN_ZOOM), MAX_ZOOM)
        anchor = self.centre if fixed is None else fixed
        self.centre = anchor + (self.centre - anchor) * (self.zoom / zoom)
        self.zoom = zoom
        self.fitting = False
        self._keep_in_sight()
        self.changed.emit()

    def pan(self, by: QPointF, view: QSizeF) -> None:
        """Move the image by so many screen pixels of a view."""
        self.centre -= by / self.scale(view)
        self.fitting = False
        self._keep_in_sight()
        self.changed.emit()

    def to_image(self, point: QPointF, view: QSizeF) -> QPointF:
        """A point of a view in image pixels."""
        return self.centre + (point - QPointF(view.width() / 2, view.height() / 2)) / self.scale(view)

    def to_view(self, point: QPointF, view: QSizeF) -> QPointF:
        """An image point on a view."""
        return (point - self.centre) * self.scale(view) + QPointF(view.width() / 2, view.height() / 2)

    def image_rect(self, view: QSizeF) -> QRectF:
        """Where the whole image lies on a view."""
        return QRectF(self.to_view(QPointF(0, 0), view), self._image * self.scale(view))

    def _keep_in_sight(self) -> None:
        self.centre = QPointF(
            min(max(self.centre.x(), 0.0), self._image.width()), min(max(self.centre.y(), 0.0), self._image.height())
        )
