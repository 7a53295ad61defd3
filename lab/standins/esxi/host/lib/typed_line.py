"""What a line is, of which the keys are known: BusyBox's line editor, as far as people use it."""
ESCAPES = {
    b"[A": "up", b"[B": "down", b"[C": "right", b"[D": "left", b"[H": "home", b"[F": "end", b"[3~": "delete",
    b"[1~": "home", b"[4~": "end", b"OA": "up", b"OB": "down", b"OC": "right", b"OD": "left", b"OH": "home", b"OF": "end",
}
CONTROLS = {
    0x01: "home", 0x02: "left", 0x04: "delete", 0x05: "end", 0x06: "right", 0x08: "back", 0x7F: "back", 0x0B: "cut-end",
    0x0E: "down", 0x10: "up", 0x15: "cut-start", 0x17: "cut-word", 0x03: "forget", 0x09: "complete",
}


class TypedLine:
    """Keys in, finished lines out."""

    def __init__(self):
        self.history = []
        self.begin()

    def begin(self):
        self.text = bytearray()
        self.cursor = 0
        self.escape = None
        self.recalled = len(self.history)
        self.redrawn = None

    def key(self, byte):
        """Takes one byte that was typed; the line, when it is finished by this."""
        self.complete()
        if self.escape is not None:
            self.escape.append(byte)
            if self.escaped():
                self.edit(ESCAPES.get(bytes(self.escape)))
                self.escape = None
        elif byte in (0x0A, 0x0D):
            line = bytes(self.text)
            if line.strip() and self.history[-1:] != [line]:
                self.history = (self.history + [line])[-256:]
            self.begin()
            return line
        elif byte == 0x1B:
            self.escape = bytearray()
        elif byte in CONTROLS:
            self.edit(CONTROLS[byte])
        elif byte >= 0x20:
            self.text.insert(self.cursor, byte)
            self.cursor += 1
        return None

    def escaped(self):
        """Whether the escape sequence is whole: ECMA-48, 5.4 for those that begin with a bracket."""
        first, last = self.escape[0], self.escape[-1]
        if first == 0x5B:
            return len(self.escape) > 1 and 0x40 <= last <= 0x7E
        return len(self.escape) == (2 if first == 0x4F else 1)

    def shown(self, output):
        """Takes what the terminal shows."""
        if self.redrawn is not None:
            self.redrawn += output

    def complete(self):
        """After the completion key the editor has shown the line again, with the rest of what fits behind it."""
        if self.redrawn is not None and self.cursor == len(self.text) > 0:
            _, found, rest = self.redrawn.rpartition(bytes(self.text))
            end = next((at for at, byte in enumerate(rest) if byte < 0x20), len(rest))
            self.text += rest[:end] if found else b""
            self.cursor = len(self.text)
        self.redrawn = None

    def edit(self, what):
        text, at = self.text, self.cursor
        if what == "left":
            self.cursor = max(0, at - 1)
        elif what == "right":
            self.cursor = min(len(text), at + 1)
        elif what == "home":
            self.cursor = 0
        elif what == "end":
            self.cursor = len(text)
        elif what == "back" and at > 0:
            del text[at - 1]
            self.cursor = at - 1
        elif what == "delete":
            del text[at : at + 1]
        elif what == "cut-end":
            del text[at:]
        elif what == "cut-start":
            del text[:at]
            self.cursor = 0
        elif what == "cut-word":
            start = len(text[:at].rstrip())
            while start > 0 and text[start - 1] != 0x20:
                start -= 1
            del text[start:at]
            self.cursor = start
        elif what == "forget":
            self.begin()
        elif what == "complete":
            self.redrawn = b""
        elif what in ("up", "down"):
            self.recalled = min(len(self.history), max(0, self.recalled + (1 if what == "down" else -1)))
            self.text = bytearray(self.history[self.recalled] if self.recalled < len(self.history) else b"")
            self.cursor = len(self.text)
