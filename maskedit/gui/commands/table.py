"""The one table of commands: menus, tool bar, tooltips, shortcut sheet and command palette are made from it."""

from __future__ import annotations

from dataclasses import dataclass

PURPOSES = ("Files", "Painting", "Regions and labels", "Seeing", "Face and styles", "Help")
"""What commands are for: the groups of the tool bar and of the shortcut sheet, in their order."""
_PURPOSE_OF_MENU = {
    "File": "Files",
    "Edit": "Painting",
    "Tools": "Painting",
    "Classes": "Regions and labels",
    "View": "Seeing",
    "Render": "Face and styles",
    "Help": "Help",
}


@dataclass(frozen=True)
class Command:
    """One thing a person can ask for; `Commands.by_id` says what is done then."""

    id: str
    text: str
    keys: tuple[str, ...]
    tip: str
    menu: str
    icon: str = ""
    checkable: bool = False
    group: str = ""
    """Commands of one group exclude each other."""
    bar: bool = False
    short: str = ""
    """What stands beside its icon, where ``text`` is long."""
    separated: bool = False
    """Starts a new section in its menu."""
    serves: str = ""
    """One of `PURPOSES`, where it is another than its menu's."""

    @property
    def purpose(self) -> str:
        """One of `PURPOSES`."""
        return self.serves or _PURPOSE_OF_MENU[self.menu]


COMMANDS: tuple[Command, ...] = (
    Command("open_photo", "Open photo or session…", ("Ctrl+O",),
            "any photo: its face is found and its label map drawn; or a saved session",
            "File", "mdi6.folder-open-outline", bar=True, short="Open"),
    Command("open_labels", "Open label map…", ("Ctrl+Shift+O",), "take a file as the label map of this photo",
            "File", "mdi6.layers-outline", serves="Regions and labels"),
    Command("place_square", "Place the square…", ("Ctrl+R",), "move, scale or turn what is cut out of the photo",
            "File", "mdi6.crop-rotate"),
    Command("open_source", "Take from another face…", ("Ctrl+Alt+O",),
            "the shape, the style or both: of all its label map, or only of the classes you tick",
            "File", "mdi6.face-man-shimmer-outline", bar=True, short="Other face", serves="Face and styles"),
    Command("save", "Save session", ("Ctrl+S",), "photo file, label map, history, snapshots and learned face", "File",
            "mdi6.content-save-outline", bar=True, separated=True, short="Save"),
    Command("save_as", "Save session as…", ("Ctrl+Shift+S",), "under another name", "File"),
    Command("export", "Export…", ("Ctrl+E",), "the whole photo, the square, the label map, a before-after sheet",
            "File", "mdi6.export-variant", bar=True, short="Export"),
    Command("apply_to_photos", "Apply this edit to other photos…", (),
            "carried over to the face in each photo, into a folder", "File", "mdi6.image-multiple-outline"),
    Command("quit", "Quit", ("Ctrl+Q",), "leave maskedit", "File", separated=True),
    Command("undo", "Undo", ("Ctrl+Z",), "take back the last edit", "Edit", "mdi6.undo", bar=True),
    Command("redo", "Redo", ("Ctrl+Shift+Z", "Ctrl+Y"), "do it again", "Edit", "mdi6.redo", bar=True),
    Command("snapshot", "Take a snapshot…", ("Ctrl+K",), "keep labels and styles under a name, to compare or come back",
            "Edit", separated=True),
    Command("reset", "Back to the photo's own labels", (), "undo everything, as one edit", "Edit",
            "mdi6.restore", separated=True),
    Command("adopt", "These labels are the photo's own", (), "the label map was wrong and is corrected now", "Edit",
            serves="Regions and labels"),
    Command("parse_photo", "Parse the photo anew", (), "have the parser draw the label map again", "Edit",
            "mdi6.auto-fix", serves="Regions and labels"),
    Command("morph", "Morph to another face…", (), "choose the face that a slider of the Shape panel goes towards",
            "Edit", separated=True, serves="Face and styles"),
    Command("vary", "Vary", (), "another face close to this one; again: another one", "Edit", "mdi6.shuffle-variant",
            serves="Face and styles"),
    Command("clean_up", "Clean up the labels", (), "specks go, ragged borders become smooth, details stay", "Edit",
            "mdi6.broom", serves="Regions and labels"),
    Command("abort", "Abort", ("Esc",),
            "put back what this stroke painted, give up the piece or what takes long; else close the message", "Edit"),
    Command("paste", "Paste photo", ("Ctrl+V",), "open the image on the clipboard", "Edit", separated=True,
            serves="Files"),
    Command("preferences", "Preferences…", ("Ctrl+,",), "theme, palette, layout, engine, live preview, autosave",
            "Edit", "mdi6.cog-outline", separated=True, serves="Files"),
    Command("brush", "Brush", ("B",), "paint the chosen class; Shift+click: a straight line", "Tools",
            "mdi6.brush", checkable=True, group="tool", bar=True),
    Command("eraser", "Eraser", ("E",), "paint background; the right button does so with every tool", "Tools",
            "mdi6.eraser", checkable=True, group="tool", bar=True),
    Command("fill", "Fill", ("F",), "fill the region under the cursor; Shift: the whole class", "Tools",
            "mdi6.format-color-fill", checkable=True, group="tool", bar=True),
    Command("lasso", "Lasso", ("P",), "draw around a region, or click its corners; Enter closes, Backspace steps back",
            "Tools", "mdi6.lasso", checkable=True, group="tool", bar=True),
    Command("transform", "Transform", ("T",),
            "take the region under the cursor as a piece: move, scale, turn or mirror it; Shift: the whole class; "
            "double click: the whole part",
            "Tools", "mdi6.vector-square-edit", checkable=True, group="tool", bar=True, serves="Regions and labels"),
    Command("parse_again", "Parse again", ("R",), "draw around a region that the parser got wrong: it looks closer",
            "Tools", "mdi6.selection-search", checkable=True, group="tool", bar=True, serves="Regions and labels"),
    Command("picker", "Pick class", ("I",), "take the class under the cursor; Ctrl+click does so with every tool",
            "Tools", "mdi6.eyedropper", checkable=True, group="tool", bar=True, short="Pick"),
    Command("flip_piece", "Mirror the piece", ("H",), "left to right, while it is moved with Transform", "Tools",
            "mdi6.flip-horizontal", serves="Regions and labels"),
    Command("save_piece", "Save as a piece…", (), "keep the region that Transform holds in the library of pieces",
            "Tools", "mdi6.content-save-plus-outline", serves="Regions and labels"),
    Command("smaller", "Smaller brush", ("[",), "one step", "Tools", separated=True),
    Command("larger", "Larger brush", ("]",), "one step; Shift+drag sets any size", "Tools"),
    Command("much_smaller", "Much smaller brush", ("Shift+[",), "five steps", "Tools"),
    Command("much_larger", "Much larger brush", ("Shift+]",), "five steps", "Tools"),
    Command("mirror", "Mirrored brush", ("M",), "paint the other side of the face, too, about a line", "Tools",
            "mdi6.reflect-horizontal", checkable=True, bar=True, short="Mirror"),
    Command("only_over", "Paint only over this class", ("L",),
            "protect every class but the one under the cursor, or let go again", "Tools", "mdi6.shield-outline",
            checkable=True, bar=True, short="Only over", serves="Regions and labels"),
    Command("pressure", "Pen pressure sets the size", (), "for graphics tablets", "Tools", checkable=True),
    Command("previous_label", "Previous class", (",",), "in the palette's order", "Classes"),
    Command("next_label", "Next class", (".",), "in the palette's order", "Classes"),
    Command("swap_label", "Last class", ("X",), "back to the class used before", "Classes"),
    Command("isolate", "Show only the chosen class", ("Shift+V",), "hide all others, or show them again", "Classes",
            checkable=True),
    Command("grow", "Grow", ("=",), "the chosen class takes a little more; with M its mirror partner too",
            "Classes", "mdi6.arrow-expand-all", separated=True),
    Command("shrink", "Shrink", ("-",), "the chosen class gives a little to its neighbours", "Classes",
            "mdi6.arrow-collapse-all"),
    Command("smooth", "Smooth", ("Shift+S",), "the edge of the chosen class runs smoothly", "Classes"),
    Command("despeckle", "Despeckle", ("Shift+D",), "the chosen class without its specks and small holes", "Classes"),
    Command("style_from_photo", "Style from another photo…", (), "the chosen class takes the colours it has there",
            "Classes", separated=True, serves="Face and styles"),
    Command("style_from_colour", "Style from a colour…", (), "the chosen class takes one colour, and keeps its light",
            "Classes", serves="Face and styles"),
    Command("own_style", "Own style", (), "the chosen class has the photo's own colours again", "Classes",
            serves="Face and styles"),
    Command("colour_blind", "Colour-blind palette", (), "other colours on the screen; files keep the published ones",
            "Classes", checkable=True, separated=True),
    Command("shape", "Shape", ("S",), "sliders for smile, mouth, brows, eyes, nose, jaw and hair; or the classes again",
            "View", "mdi6.tune-variant", bar=True, serves="Face and styles"),
    Command("fit", "Fit", ("Ctrl+F",), "show the whole face", "View", "mdi6.fit-to-page-outline", bar=True),
    Command("actual_size", "100 %", ("Ctrl+0",), "one screen pixel for one pixel", "View"),
    Command("zoom_in", "Zoom in", ("Ctrl++", "Ctrl+="), "the wheel zooms at the cursor", "View"),
    Command("zoom_out", "Zoom out", ("Ctrl+-",), "the wheel zooms at the cursor", "View"),
    Command("photo_view", "Photo view", ("Ctrl+1",), "the untouched photo, small beside the others or on a corner",
            "View", "mdi6.image-outline", checkable=True, bar=True, separated=True, short="Photo"),
    Command("layout_auto", "Layout that fits the window", ("Ctrl+2",), "labels and result as large as they can be",
            "View", checkable=True, group="layout"),
    Command("layout_side", "Side by side", ("Ctrl+3",), "labels beside the result, the photo small", "View",
            checkable=True, group="layout"),
    Command("layout_row", "Three in a row", ("Ctrl+4",), "photo, labels and result, all of one size", "View",
            checkable=True, group="layout"),
    Command("layout_rows", "Two rows", ("Ctrl+5",), "labels above the result, for tall windows", "View",
            checkable=True, group="layout"),
    Command("layout_over", "Labels over the result", ("Ctrl+6",), "one large picture: paint on the result itself",
            "View", checkable=True, group="layout"),
    Command("pieces", "Pieces", ("Shift+T",), "a library of glasses, hats, hair, mouths, brows, earrings to put on",
            "View", "mdi6.shape-plus", bar=True, separated=True, serves="Regions and labels"),
    Command("history", "History and snapshots", ("Ctrl+H",), "every edit by its name; a click goes there", "View",
            "mdi6.history", serves="Painting"),
    Command("hide_labels", "Hide labels", ("V",), "see the photo under them", "View", "mdi6.eye-off-outline",
            checkable=True, bar=True, separated=True),
    Command("confidence", "Where the parser was unsure", ("U",), "look there first: the label map may be wrong", "View",
            "mdi6.help-rhombus-outline", checkable=True),
    Command("what_changes", "What will change", ("W",), "dim what the edit leaves as it is in the photo", "View",
            "mdi6.select-compare", checkable=True, bar=True, short="Changes"),
    Command("compare", "Before-after slider", ("Shift+C",), "photo left of a line, result right; hold C for all",
            "View", "mdi6.compare", checkable=True, bar=True, short="Compare"),
    Command("bar_text", "Text beside icons", (), "say in the tool bar what its icons mean", "View", checkable=True,
            separated=True),
    Command("live", "Live preview", ("Ctrl+L",), "render while you paint", "Render", "mdi6.motion-play-outline",
            checkable=True, bar=True, short="Live", serves="Seeing"),
    Command("render", "Render now", ("F5",), "draw the face for these labels", "Render", "mdi6.refresh", bar=True,
            short="Render", serves="Seeing"),
    Command("whole_face", "Whole face", (), "show the network's picture everywhere, not only where labels changed",
            "Render", "mdi6.face-recognition", checkable=True, bar=True, separated=True),
    Command("detail", "Keep the photo's detail", (), "carry freckles and hairs over where labels stayed", "Render",
            checkable=True),
    Command("learn", "Learn this face", ("Ctrl+Shift+L",),
            "a minute of training on this photo, so that whole faces show this very person", "Render",
            "mdi6.school-outline", bar=True, short="Learn", separated=True),
    Command("stop_learning", "Stop learning", (), "as if it had never begun", "Render"),
    Command("forget_face", "Forget this face", (), "drop what was learned of it", "Render"),
    Command("weights", "Weights…", (), "which network draws: what its card says, another one, the published checkpoint",
            "Render", "mdi6.database-outline", separated=True),
    Command("palette", "Command palette…", ("Ctrl+Shift+P",), "find a command by its name", "Help"),
    Command("shortcuts", "Shortcuts", ("F1",), "every key on one sheet", "Help"),
    Command("bug_report", "Copy bug report", (), "versions, engine and the end of the log, to paste into a message",
            "Help"),
    Command("about", "About maskedit", (), "version, weights and their licence, where the log is", "Help"),
)  # fmt: skip

MOUSE_KEYS: tuple[tuple[str, str, str], ...] = (
    ("Left button", "Use the tool", "Painting"),
    ("Right button", "Erase, with every tool", "Painting"),
    ("Shift+click", "Straight line from the last dab", "Painting"),
    ("Shift+click with Fill", "Fill the whole class", "Painting"),
    ("Shift+drag or Alt+drag", "Brush size", "Painting"),
    ("0-9, two digits for 10-18", "Choose a class", "Regions and labels"),
    ("Ctrl+click", "Pick the class under the cursor", "Regions and labels"),
    ("Drag a piece", "Move it; its handles scale, beside a corner turns", "Regions and labels"),
    ("Shift+drag a piece", "Free proportions, steps of 15°", "Regions and labels"),
    ("Shift+click with Transform", "Take the whole class", "Regions and labels"),
    ("Arrows or Shift+arrows", "Move the piece by 1 or 10 pixels", "Regions and labels"),
    ("Enter or click beside", "Let the piece go, as one edit", "Regions and labels"),
    ("Delete", "Take the piece away: what lies under it stays", "Regions and labels"),
    ("Wheel", "Zoom at the cursor", "Seeing"),
    ("Middle button or Space+drag", "Pan", "Seeing"),
    ("Hold C", "See the photo in place of the result", "Seeing"),
)
"""What is no command but belongs on the shortcut sheet: keys, what they do, and for which of `PURPOSES`."""
