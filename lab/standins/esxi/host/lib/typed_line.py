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
        self.completing = False

    def key(self, byte):
        """Takes one byte that was typed; the line, when it is finished by this."""
        self.completing = False
        if self.escape is not None:
            self.escape.append(byte)
            done = bytes(self.escape) in ESCAPES
            if done:
                self.edit(ESCAPES[bytes(self.escape)])
            if done or len(self.escape) > 5 or (len(self.escape) > 1 and chr(byte).isalpha()):
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

    def shown(self, output):
        """Takes what the editor showed after the completion key: the rest of the one word that fits, else nothing that can be told."""
        if self.completing and output and all(0x20 <= byte != 0x7F for byte in output):
            self.text[self.cursor : self.cursor] = output
            self.cursor += len(output)
        self.completing = False

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
            self.completing = True
        elif what in ("up", "down"):
            self.recalled = min(len(self.history), max(0, self.recalled + (1 if what == "down" else -1)))
            self.text = bytearray(self.history[self.recalled] if self.recalled < len(self.history) else b"")
            self.cursor = len(self.text)
