"""Draws assets/templates: class masks, pencil sketches, templates.ron. Needs Python 3.10 or later with Pillow and numpy.

    python tools/templates/generate.py [--sheet FILE] [NAME...]

Without names everything is drawn and the list is rewritten. The same versions of numpy and Pillow give the same pictures.
"""

import argparse
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))
import mask  # noqa: E402
import people  # noqa: E402
import sketch  # noqa: E402

OUT = Path(__file__).resolve().parents[2] / "assets" / "templates"


def png(pixels, palette=None):
    """A small PNG: 8-bit indices with their palette, or 8-bit grey."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    def packed(raw, strategy):
        c = zlib.compressobj(9, zlib.DEFLATED, 15, 9, strategy)
        return c.compress(raw) + c.flush()

    h, w = pixels.shape
    raw = b"".join(b"\0" + row.tobytes() for row in pixels.astype(np.uint8))
    data = min((packed(raw, s) for s in (zlib.Z_DEFAULT_STRATEGY, zlib.Z_FILTERED, zlib.Z_RLE)), key=len)
    out = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, 8, 3 if palette else 0, 0, 0, 0))
    if palette:
        out += chunk(b"PLTE", bytes(v for c in palette for v in c))
    return out + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def entry(name, title, kind, file, person):
    """One element of templates.ron."""
    return (
        f'    (\n        name: "{name}",\n        title: "{title}",\n        kind: {kind},\n        file: "{file}",\n'
        f'        prompt: "{person.prompt}",\n        seed: {person.seed},\n    ),\n'
    )


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("names", nargs="*", metavar="NAME")
    args.add_argument("--sheet", type=Path, help="also write a contact sheet of everything drawn")
    args = args.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    chosen = [p for p in people.everyone() if not args.names or p.name in args.names]
    tiles = []
    for p in chosen:
        m, s = np.array(mask.draw(p)), np.array(sketch.draw(p))
        for file, data in ((f"{p.name}.png", png(m, mask.PALETTE)), (f"{p.name}-sketch.png", png(s))):
            (OUT / file).write_bytes(data)
            print(f"{file:30} {len(data):6} bytes")
        tiles.append((mask.draw(p).convert("RGB"), Image.fromarray(s).convert("RGB")))
    if not args.names:
        listed = "".join(entry(p.name, p.title, "Mask", f"{p.name}.png", p) for p in chosen)
        listed += "".join(entry(f"{p.name}-sketch", f"{p.title} (sketch)", "Sketch", f"{p.name}-sketch.png", p) for p in chosen)
        head = "// Written by tools/templates/generate.py: the class masks and sketches bundled with the program.\n"
        (OUT / "templates.ron").write_text(f"{head}[\n{listed}]\n", encoding="utf-8")
    if args.sheet:
        w = Image.new("RGB", (512 * len(tiles), 1024))
        for i, pair in enumerate(tiles):
            for j, t in enumerate(pair):
                w.paste(t, (512 * i, 512 * j))
        w.save(args.sheet)


if __name__ == "__main__":
    main()
