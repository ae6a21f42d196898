"""A person as a class mask: indices 0..18 in CelebAMask-HQ's order, drawn with hard edges."""

import numpy as np
from PIL import Image, ImageDraw

import face
from curves import lock, ribbon, smooth

SIZE, SCALE = 512, 4
NAMES = (
    "background skin nose eye_g l_eye r_eye l_brow r_brow l_ear r_ear mouth u_lip l_lip hair hat ear_r neck_l neck cloth"
).split()
CLASS = {n: i for i, n in enumerate(NAMES)}
PALETTE = [
    (0, 0, 0), (204, 0, 0), (76, 153, 0), (204, 204, 0), (51, 51, 255), (204, 0, 204), (0, 255, 255), (255, 204, 204), (102, 51, 0),
    (255, 0, 0), (102, 204, 0), (255, 255, 0), (0, 0, 153), (0, 0, 204), (255, 51, 153), (0, 204, 204), (0, 51, 0), (255, 153, 51), (0, 204, 0),
]


def shapes(person):
    """Closed shapes in drawing order: (class name, points in the picture)."""
    head, look = person.head, person.look
    out = []

    def add(name, pts, **kw):
        out.append((name, head.place(pts, **kw)))

    for b in person.back:
        add("hair", smooth(b, True))
    add("neck", smooth(person.neck, True), depth=30.0)
    for c, w in person.necklace:
        add("neck_l", ribbon(smooth(c), [w * 0.6, w, w * 1.5, w, w * 0.6]), depth=30.0)
    for c in person.cloth:
        add("cloth", smooth(c, True), depth=60.0)
    for e in person.ears:
        add("l_ear" if e["side"] > 0 else "r_ear", face.ear(**e)[0], depth=0.0)
    add("skin", smooth(person.skin, True))
    add("nose", face.nose(look), bump=16.0)
    for side, name in ((1, "l_brow"), (-1, "r_brow")):
        add(name, face.brow_shape(look, side), bump=4.0)
    # Clear glasses: the whole lens is class 3 and the eye is seen through it, as in the data set.
    for kind, pts, w in person.glasses:
        c = smooth(pts, kind == "lens", 1.0)
        add("eye_g", c if kind == "lens" else ribbon(c, [w, w]), bump=14.0)
    for side, name in ((1, "l_eye"), (-1, "r_eye")):
        upper, lower, *_ = face.eye(look, side)
        add(name, np.vstack([upper, lower[::-1]]))
    ut, ul, lt, ll = face.mouth(look)
    add("mouth", np.vstack([ul, lt[::-1]]), bump=8.0)
    add("u_lip", np.vstack([ut, ul[::-1]]), bump=10.0)
    add("l_lip", np.vstack([lt, ll[::-1]]), bump=9.0)
    for f in person.front:
        add("hair", smooth(f, True))
    for pts, w, *rest in person.locks:
        add(rest[0] if rest else "hair", lock(pts, w))
    for e in person.earrings:
        add("ear_r", smooth(e, True), depth=0.0)
    for h in person.hat:
        add("hat", smooth(h, True), depth=0.0)
    return out


def labels(person, scale=SCALE):
    """The class map at `scale` times the picture's size."""
    im = Image.new("L", (SIZE * scale, SIZE * scale), 0)
    draw = ImageDraw.Draw(im)
    for name, pts in shapes(person):
        draw.polygon([tuple(p) for p in (pts + 0.0) * scale], fill=CLASS[name])
    return np.array(im)


def draw(person):
    """The mask as a palette picture of 512 x 512."""
    m = labels(person)[SCALE // 2 :: SCALE, SCALE // 2 :: SCALE]
    im = Image.fromarray(m.astype(np.uint8), "P")
    im.putpalette([v for c in PALETTE for v in c])
    return im
