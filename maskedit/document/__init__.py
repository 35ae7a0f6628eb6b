"""The document: a photo, its label map, the strokes that change it and the history that takes them back. No Qt."""
