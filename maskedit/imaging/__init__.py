"""Photos and label maps on disk: the only place that knows file formats.

Photos are (H, W, 3) uint8 RGB as a person sees them (EXIF orientation and transparency applied; colour profiles are
not, except for CMYK); label maps are (H, W) uint8 ids of ``labels.LABELS``.
"""

from maskedit.imaging.geometry import enlarge_labels, fit_square, resize_labels, resize_photo, square_labels
from maskedit.imaging.label_files import LabelFile, LossyLabelsError, read_label_file, read_labels
from maskedit.imaging.metadata import PhotoMetadata, read_metadata
from maskedit.imaging.openraster import Layer, write_openraster
from maskedit.imaging.photos import MAX_PIXELS, MIN_SIDE, read_orientation, read_photo, read_size, read_source
from maskedit.imaging.pictures import before_after_sheet, captioned_sheet, colourise
from maskedit.imaging.source_photo import SourcePhoto
from maskedit.imaging.squares import Square, cut_labels, cut_square
from maskedit.imaging.writing import SUFFIXES, atomic_write_bytes, png_bytes, write_labels, write_photo

__all__ = [
    "MAX_PIXELS",
    "MIN_SIDE",
    "SUFFIXES",
    "LabelFile",
    "Layer",
    "LossyLabelsError",
    "PhotoMetadata",
    "SourcePhoto",
    "Square",
    "atomic_write_bytes",
    "before_after_sheet",
    "captioned_sheet",
    "colourise",
    "cut_labels",
    "cut_square",
    "enlarge_labels",
    "fit_square",
    "png_bytes",
    "read_label_file",
    "read_labels",
    "read_metadata",
    "read_orientation",
    "read_photo",
    "read_size",
    "read_source",
    "resize_labels",
    "resize_photo",
    "square_labels",
    "write_labels",
    "write_openraster",
    "write_photo",
]
