"""What ``maskedit-edit`` does with one photo: the way through the house that the window takes, without the window."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tqdm import tqdm

from maskedit import imaging
from maskedit.document.document import Document
from maskedit.document.origin import SIDE, Origin
from maskedit.document.session import load_session
from maskedit.document.styles import PartStyle
from maskedit.errors import UserError
from maskedit.face.align import face_points
from maskedit.face.locate import FaceFinder
from maskedit.face.parser import FaceParser
from maskedit.imaging import SourcePhoto, Square
from maskedit.opening.documents import parsed_document
from maskedit.opening.files import FoundLabels, inspect_source
from maskedit.opening.other_face import OtherFace, WantedStyle
from maskedit.opening.replay import Replay
from maskedit.render.compositing import Blend, Composite
from maskedit.render.edit_renderer import EditRenderer
from maskedit.render.full_size import EditedPhoto, in_square, styled_square
from maskedit.render.part_colours import colour_style, style_of


@dataclass(frozen=True)
class Options:
    """What is wanted of every photo."""

    parse_only: bool = False
    """Write the aligned square and its label map, edit nothing."""
    labels: Path | None = None
    """The edited label map, or a folder with one for each photo."""
    source: Path | None = None
    """The label map or the photo of another face, whose labels are taken."""
    session: Path | None = None
    """A session whose edit is laid on the photos."""
    classes: tuple[int, ...] | None = None
    """The ids to take; all of them when None."""
    styles: tuple[WantedStyle, ...] = ()
    own_labels: Path | None = None
    """The photos' own label map, or a folder with one for each photo; they are parsed when None."""
    face: int = 1
    """Which face, from 1 for the largest; 0 for all of them."""
    square: Square | None = None
    """Where the face is; it is found when None."""
    blend: Blend = field(default_factory=Blend)
    learn: int | None = None
    """Steps of learning each face; 0 for as many as do, None for none."""
    crop_only: bool = False
    """Write the edited square, not the whole photo."""
    weights: Path | None = None
    parser: Path | None = None
    device: str = "auto"
    precision: str = "auto"
    quality: int = 95
    overwrite: bool = False


@dataclass(frozen=True)
class Job:
    """One photo and where its result goes."""

    photo: Path
    out: Path
    """The edited photo; with ``parse_only``, the aligned square, beside which ``_labels.png`` and ``.json`` go."""

    def outputs(self, options: Options, faces: int) -> list[Path]:
        """The file of each face, or one for all of them where the whole photo is written."""
        if options.face or not (options.parse_only or options.crop_only):
            return [self.out]
        return [self.out.with_stem(f"{self.out.stem}_{number}") for number in range(1, faces + 1)]

    def finished(self, options: Options) -> Path | None:
        """What tells that an earlier run has done this photo; None when it has not."""
        (first,) = self.outputs(options, 1)
        last_written = first.with_suffix(".json") if options.parse_only else first
        return last_written if last_written.exists() else None


class Editor:
    """Edits photo after photo with networks that are loaded once.

    Args:
        options: what is wanted of every photo.
        say: takes sentences for the person, about label maps that were not taken as they stand.

    Raises:
        UserError: weights, a device or the source that are not what they should be.
    """

    def __init__(self, options: Options, say: Callable[[str], None] = print):
        self._options, self._say = options, say
        device, precision = options.device, options.precision
        self._parser = FaceParser(options.parser, device=device, precision=precision)
        self._finder = FaceFinder(self._parser)
        self._renderer: EditRenderer | None = None
        if not options.parse_only:
            # Not whatever this machine has found to be the fastest: the same files from the same command, always.
            self._renderer = EditRenderer(weights=options.weights, device=device, precision=precision, engine="torch")
        self._replay = None if options.session is None else Replay(load_session(options.session), face_points)
        self._others: dict[Path, OtherFace] = {}
        self._source = None if options.source is None else self._other_face(options.source, "--source")
        self._styles = {wanted.part: self._style(wanted) for wanted in options.styles}

    def run(self, job: Job) -> str:
        """Edit a photo, or parse it; returns one line that tells what was found and where it was written.

        Raises:
            UserError: the photo or its label map cannot be read, the photo shows no such face, or the disk refuses.
        """
        started = time.perf_counter()
        photo = SourcePhoto(imaging.read_source(job.photo)[0], job.photo.stem)
        squares, found = self._squares(photo)
        outputs = job.outputs(self._options, len(squares))
        work = self._parse if self._options.parse_only else self._edit
        told = work(job, photo, squares, outputs)
        written = ", ".join(map(str, outputs))
        return f"{job.photo}: {found} -> {written}; {told}{time.perf_counter() - started:.1f} s"

    def _squares(self, photo: SourcePhoto) -> tuple[dict[Square, float | None], str]:
        """Which squares of the photo to work on, with the finder's confidence, and what to tell about them."""
        wanted = self._options.face
        if self._options.square is not None:
            return {self._options.square: None}, "the given square"
        if self._is_own(photo):
            return {self._replay.square: None}, "the session's own square"
        found = self._finder.find(photo.pixels)
        if not found:
            raise UserError("no face was found; if there is one, say where with --square.")
        if wanted > len(found):
            came = "one face was" if len(found) == 1 else f"{len(found)} faces were"
            raise UserError(f"{came} found, and face {wanted} is wanted; give --face 1 to {len(found)}, or all.")
        chosen = found[wanted - 1 : wanted] if wanted else found
        title = f"face {wanted} of {len(found)}" if wanted else f"{len(found)} faces"
        sides = ", ".join(f"{face.square.side:.0f}" for face in chosen)
        sure = min(face.confidence for face in chosen)
        return {face.square: face.confidence for face in chosen}, f"{title} ({sides} px, {sure:.0%} sure)"

    # Parsing only -----------------------------------------------------------------------------------------------

    def _parse(self, job: Job, photo: SourcePhoto, squares: dict[Square, float | None], outputs: list[Path]) -> str:
        """Write the aligned squares, their label maps, and where in the photo they were."""
        overwrite = self._options.overwrite
        faces = [
            (square, confidence, out, out.with_name(f"{out.stem}_labels.png"))
            for (square, confidence), out in zip(squares.items(), outputs, strict=True)
            if overwrite or not out.with_suffix(".json").exists()
        ]
        # Somebody may have painted them: nothing is written before all of them are known to be ours.
        there = [path for *_, out, labels in faces for path in (out, labels) if path.exists()]
        if there and not overwrite:
            raise UserError(
                f"{there[0]} is there already, but not its .json: an earlier run was cut off, or it is yours; give "
                "--overwrite or another folder."
            )
        # Each place after its pictures, the first face's last: what a cut-off run has not begun is done by the next.
        for square, confidence, out, labels in reversed(faces):
            document = parsed_document(photo, square, self._parser)
            imaging.write_photo(out, document.photo, overwrite=overwrite, metadata=photo.metadata)
            imaging.write_labels(labels, document.labels, overwrite=overwrite)
            place = {
                "photo": job.photo.name,
                "size": list(photo.size),
                "square": [square.x, square.y, square.side, square.degrees],
                "confidence": confidence,
            }
            imaging.atomic_write_bytes(
                out.with_suffix(".json"), json.dumps(place).encode() + b"\n", overwrite=overwrite
            )
        return ""

    # Editing ----------------------------------------------------------------------------------------------------

    def _edit(self, job: Job, photo: SourcePhoto, squares: dict[Square, float | None], outputs: list[Path]) -> str:
        """Write the photo with its edited faces, or these alone."""
        options, results = self._options, []
        whole = EditedPhoto(photo.pixels)
        outside, changed = 0, 0.0
        for square in squares:
            document = self._document(job, photo, square)
            self._change(document, job, photo)
            composite = self._composite(document)
            outside = max(outside, composite.changed_outside)
            if options.crop_only:
                styled = styled_square(document, document.styles)
                results.append(in_square(document.photo, composite, document.labels, styled))
            else:
                whole.restyle(self._renderer.restyled(whole.image, square, self._parser.parse))
                composite = self._renderer.at_full_size(whole.image, square, document.labels, composite, options.blend)
                whole.add(square, composite, document.snapshot())
            outside = max(outside, composite.changed_outside)
            changed = max(changed, float(np.mean(document.labels != document.reference_labels)))
        written = {"quality": options.quality, "overwrite": options.overwrite, "metadata": photo.metadata}
        for out, edited in reversed(list(zip(outputs, results if options.crop_only else [whole], strict=True))):
            edited.write(out, **written)
        return f"{changed:.1%} of the label map changed, changed outside the edit: {outside}; "

    def _is_own(self, photo: SourcePhoto) -> bool:
        """Whether a photo is the one that the session was made for, and its face is that of the session."""
        options = self._options
        elsewhere = options.square is not None or options.face != 1 or options.own_labels is not None
        return self._replay is not None and not elsewhere and self._replay.made_for(photo)

    def _document(self, job: Job, photo: SourcePhoto, square: Square) -> Document:
        """The face with its own label map; of the session's own photo, edited already."""
        if self._is_own(photo):
            return self._replay.own(photo)
        if self._options.own_labels is None:
            return parsed_document(photo, square, self._parser)
        own = imaging.square_labels(self._square_map(self._options.own_labels, job), SIDE)
        return Document(photo.cut(square, SIDE), own, origin=Origin(photo.data, square), name=photo.name)

    def _change(self, document: Document, job: Job, photo: SourcePhoto) -> None:
        """Bring the wanted labels into a document."""
        if self._options.labels is not None:
            document.replace_labels(self._square_map(self._options.labels, job), name="Labels")
        elif self._source is not None:
            document.replace_labels(self._source.labels, classes=self._options.classes, name="Source")
        elif self._replay is not None and not self._is_own(photo):
            self._replay.lay_on(document)
        document.set_styles(self._styles, name="Styles")

    def _composite(self, document: Document) -> Composite:
        """The document's edit laid into its photo, with what was learned of the face if that is wanted."""
        renderer, options = self._renderer, self._options
        own = document.reference_labels
        renderer.set_target(document.photo, own, document.face_weights, styles=document.styles)
        if options.learn is not None:
            learning = renderer.learn(options.learn or None)
            for _ in tqdm(range(learning.total), desc="learning the face", leave=False, disable=None):
                learning.step()
            learning.finish()
        result = renderer.render(document.snapshot(), options.blend)
        if result.notice:
            self._say(result.notice)
        return result.composite

    # Label maps -------------------------------------------------------------------------------------------------

    def _square_map(self, path: Path, job: Job) -> np.ndarray:
        """The label map of a photo's square: a file, or the one in a folder that is called after the photo."""
        if path.is_dir():
            names = [f"{job.photo.stem}{end}.png" for end in ("_face_labels", "_labels", "")]
            found = [path / name for name in names if (path / name).is_file()]
            if not found:
                raise UserError(
                    f"there is no label map of it in {path}; wanted {', '.join(names[:-1])} or {names[-1]}."
                )
            path = found[0]
        labels = self._taken(FoundLabels(path))
        if labels.shape[0] != labels.shape[1]:
            raise UserError(
                f"the label map {path.name} is {labels.shape[1]} x {labels.shape[0]} px; wanted that of the square "
                "which --parse-only writes."
            )
        return labels

    def _taken(self, found: FoundLabels) -> np.ndarray:
        """A label map in our order of classes; what was not exact about it is told."""
        labels, notes = found.taken()
        for note in notes:
            self._say(f"{found.name}: {note}")
        return labels

    # Other faces ------------------------------------------------------------------------------------------------

    def _style(self, wanted: WantedStyle) -> PartStyle:
        if not isinstance(wanted.source, Path):
            return colour_style(wanted.source, strength=wanted.strength)
        face = self._other_face(wanted.source, "--style")
        if face.photo is None:
            raise UserError(f"--style: {wanted.source.name} is a label map and shows no colours; wanted a photo.")
        return style_of(face.photo, face.own_labels, wanted.part, wanted.source.name, strength=wanted.strength)

    def _other_face(self, path: Path, flag: str) -> OtherFace:
        """The face in a session or a label map, or the largest one in a photo, parsed."""
        if path not in self._others:
            self._others[path] = self._read_other(path, flag)
        return self._others[path]

    def _read_other(self, path: Path, flag: str) -> OtherFace:
        found = inspect_source(path)
        if found.session is not None:
            return OtherFace.of_document(found.session, path.name)
        if found.labels is not None:
            return OtherFace.of_labels(self._taken(found.labels), path.name, found.photo)
        faces = self._finder.find(found.photo.pixels)
        if not faces:
            raise UserError(f"{flag}: {found.no_labels} As a photo, {path.name} shows no face.")
        return OtherFace.of_document(parsed_document(found.photo, faces[0].square, self._parser), path.name)
