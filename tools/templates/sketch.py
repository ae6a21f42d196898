"""A person as a pencil drawing: grey washes, contours of uneven width, hair strands, and drawn features.

The contours run where two classes of the mask meet; eyes, brows, nose, lips, ears, hair, beard and folds are single strokes.
Everything is drawn at `SCALE` times the size and reduced, so that lines are smooth.
"""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

import face
from curves import normals, resample, ribbon, smooth
from mask import CLASS, SCALE, SIZE, labels

S = SIZE * SCALE
LEVELS = 12
FACE = [CLASS[n] for n in "skin nose eye_g l_eye r_eye l_brow r_brow mouth u_lip l_lip".split()]


class Sheet:
    """Strokes (dark over light) and soft washes (adding up) on white paper."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.quads = []
        self.wash = np.zeros((SIZE, SIZE), np.float32)

    def stroke(self, curve, width, dark, ends=(0.2, 0.2), shake=0.25, fade=0.25):
        """A pencil line: `dark` 0..1, thinner towards its ends (`ends`: relative width there), pressure changing slowly."""
        if len(curve) < 2:
            return
        n = max(5, int(np.hypot(*(curve[1:] - curve[:-1]).T).sum() / 1.6))
        c = resample(np.asarray(curve, float), n)
        t = np.linspace(0, 1, n)
        rng = self.rng
        c = c + normals(c) * (np.sin(t * rng.uniform(3, 9) + rng.uniform(0, 6.3)) * shake * rng.uniform(0.3, 1.0))[:, None]
        rise = np.minimum(t / 0.25, 1)
        fall = np.minimum((1 - t) / 0.3, 1)
        w = width * (ends[0] + (1 - ends[0]) * np.sin(rise * np.pi / 2)) * (ends[1] + (1 - ends[1]) * np.sin(fall * np.pi / 2))
        p = 1 - fade * (0.5 + 0.5 * np.sin(t * rng.uniform(2, 8) + rng.uniform(0, 6.3)))
        nn = normals(c) * w[:, None] / 2
        a, b = (c + nn) * SCALE, (c - nn) * SCALE
        for i in range(n - 1):
            d = dark * p[i]
            self.quads.append((d, (*a[i], *a[i + 1], *b[i + 1], *b[i])))

    def fill(self, pts, dark):
        """A flat dark shape with hard edges."""
        self.quads.append((dark, tuple((np.asarray(pts) * SCALE).ravel())))

    def shade(self, pts, dark, blur):
        """A soft grey shape."""
        im = Image.new("L", (SIZE, SIZE), 0)
        ImageDraw.Draw(im).polygon([tuple(p) for p in pts], fill=255)
        self.wash += np.asarray(im.filter(ImageFilter.GaussianBlur(blur)), np.float32) / 255 * dark

    def layer(self):
        """All strokes so far as darkness 0..1 at drawing size, the darkest on top."""
        im = Image.new("L", (S, S), 0)
        draw = ImageDraw.Draw(im)
        for d, q in sorted(self.quads, key=lambda e: e[0]):
            draw.polygon(q, fill=int(255 * min(1.0, d)))
        self.quads = []
        return im


def _noise(rng, cell):
    """Smooth noise 0..1 at drawing size; `cell` is the size of its bumps in picture pixels."""
    n = SIZE // cell + 2
    im = Image.fromarray((rng.random((n, n)) * 255).astype(np.uint8))
    a = np.asarray(im.resize((S, S), Image.BICUBIC), np.float32) / 255
    return np.clip((a - 0.5) * 1.6 + 0.5, 0, 1)


def _contours(m, rng):
    """Lines where classes meet, as darkness 0..1 at drawing size."""
    # Features are drawn as strokes of their own: for the contours they belong to the skin.
    lut = np.arange(19, dtype=np.uint8)
    for n in "nose l_eye r_eye l_brow r_brow mouth u_lip l_lip eye_g".split():
        lut[CLASS[n]] = CLASS["skin"]
    m = lut[m]
    edge = np.zeros(m.shape, bool)
    edge[:, 1:] |= m[:, 1:] != m[:, :-1]
    edge[1:] |= m[1:] != m[:-1]
    hair = m == CLASS["hair"]
    near_hair = np.zeros(m.shape, bool)
    near_hair[:, 1:] |= hair[:, 1:] != hair[:, :-1]
    near_hair[1:] |= hair[1:] != hair[:-1]
    width = 0.75 + 1.05 * _noise(rng, 38)
    press = 0.62 + 0.38 * _noise(rng, 26)
    out = np.zeros(m.shape, np.float32)
    for lines, thin, weak in ((edge & ~near_hair, 1.0, 1.0), (near_hair, 0.85, 0.82)):
        im = Image.fromarray((lines * 255).astype(np.uint8))
        for r in (3, 5, 7):
            fat = np.asarray(im.filter(ImageFilter.MaxFilter(r)).filter(ImageFilter.GaussianBlur(0.8)), np.float32) / 255
            keep = np.clip((width * thin * SCALE - (r - 1)) / 1.2, 0, 1)
            out = np.maximum(out, fat * keep * press * weak)
    return out


def _strands(sheet, head, guides, density, dark, spread=1.0):
    """Hair strands between neighbouring guide curves: long faint ones and short dark ones gathered in locks."""
    rng = sheet.rng
    for group in guides:
        dense = [resample(head.place(smooth(g)), 80) for g in group]
        for a, b in zip(dense, dense[1:]):
            gap = np.hypot(*(a - b).T).mean()
            length = np.hypot(*(a[1:] - a[:-1]).T).sum()
            locks = np.sort(rng.uniform(0, 1, max(2, int(gap / 11))))
            for u in locks:
                c = _between(a, b, u, rng, spread)
                i0 = int(rng.uniform(0, 20))
                i1 = int(rng.uniform(50, 80))
                sheet.stroke(c[i0:i1], rng.uniform(0.7, 1.2), dark * rng.uniform(0.35, 0.6), (0.3, 0.2), 0.5, 0.6)
            for _ in range(int(gap * length * density / 540)):
                u = np.clip(locks[rng.integers(len(locks))] + rng.normal(0, 0.05), 0, 1) if rng.random() < 0.65 else rng.uniform(0, 1)
                c = _between(a, b, u, rng, spread)
                k = int(np.clip(rng.exponential(11) + 4, 4, 45))
                i = int(rng.uniform(0, 80 - k)) if k < 80 else 0
                d = dark * (rng.uniform(0.5, 1.0) if rng.random() < 0.45 else rng.uniform(0.2, 0.5))
                sheet.stroke(c[i : i + k], rng.uniform(0.6, 1.5), d, (0.15, 0.1), 0.4, 0.3)


def _between(a, b, u, rng, spread):
    t = np.linspace(0, 1, len(a))
    drift = np.sin(t * rng.uniform(2, 6) + rng.uniform(0, 6.3)) * 0.035 * spread
    v = np.clip(u + drift, 0, 1)[:, None]
    return a * (1 - v) + b * v


def _curl_strands(sheet, hair, dark):
    """Curly hair: many short arcs and loose rings within the hair."""
    rng = sheet.rng
    ys, xs = np.nonzero(hair[:: SCALE * 2, :: SCALE * 2])
    for _ in range(380):
        i = rng.integers(len(xs))
        cx, cy, r = xs[i] * 2, ys[i] * 2, rng.uniform(5, 15)
        a0, span = rng.uniform(0, 6.3), rng.uniform(1.6, 4.6)
        t = np.linspace(0, 1, 40)
        turn = a0 + span * t
        grow = 1 + t * rng.uniform(-0.6, 0.5)
        c = np.stack([cx + np.cos(turn) * r * grow, cy + np.sin(turn) * r * grow * 0.85 + t * r * rng.uniform(0, 1.2)], 1)
        d = dark * (rng.uniform(0.5, 1.0) if rng.random() < 0.4 else rng.uniform(0.2, 0.5))
        sheet.stroke(c, rng.uniform(0.6, 1.6), d, (0.2, 0.15), 0.2, 0.3)


def _hair_wash(person, hair, rng):
    """Grey tone of the hair: flat, with broad darker and lighter locks along the guide curves."""
    tone = person.style.get("hair", 0.3)
    im = Image.new("L", (SIZE, SIZE), 128)
    draw = ImageDraw.Draw(im)
    for group in person.guides:
        dense = [resample(person.head.place(smooth(g)), 80) for g in group]
        for a, b in zip(dense, dense[1:]):
            for _ in range(max(3, int(np.hypot(*(a - b).T).mean() / 7))):
                c = _between(a, b, rng.uniform(0, 1), rng, 1.0)
                i = int(rng.uniform(0, 45))
                c = c[i : i + int(rng.uniform(25, 60))]
                draw.polygon([tuple(p) for p in ribbon(c, [0.5, rng.uniform(4, 10), 0.5])], fill=int(rng.choice([70, 90, 180, 200])))
    field = np.asarray(im.filter(ImageFilter.GaussianBlur(1.6)), np.float32) / 255
    if not person.guides:
        field = np.full((SIZE, SIZE), 0.5, np.float32)
    soft = np.asarray(Image.fromarray((hair[::SCALE, ::SCALE] * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(0.8)), np.float32) / 255
    return soft * tone * 0.72 * np.clip(0.35 + 1.1 * field, 0.1, 1.2)


def _eye(sheet, head, look, side, style):
    rng = sheet.rng
    upper, lower, centre, r = face.eye(look, side)
    white = head.place(np.vstack([upper, lower[::-1]]))
    up, lo = head.place(upper), head.place(lower)
    c = head.place(centre)[0]
    sheet.shade(np.vstack([up, lo[::-1]]), 0.06, 1.0)
    # Iris and pupil, cut off by the lids.
    clip = Image.new("L", (S, S), 0)
    ImageDraw.Draw(clip).polygon([tuple(p * SCALE) for p in white], fill=255)
    iris = Image.new("L", (S, S), 0)
    d = ImageDraw.Draw(iris)

    def disc(x, y, rad, v):
        d.ellipse([(x - rad) * SCALE, (y - rad) * SCALE, (x + rad) * SCALE, (y + rad) * SCALE], fill=v)

    disc(c[0], c[1], r, 205)
    disc(c[0], c[1], r - 1.4, 120 if style.get("hair", 0.3) > 0.2 else 90)
    for _ in range(26):
        a, r0 = rng.uniform(0, 6.3), r * 0.45
        d.line(
            [((c[0] + np.cos(a) * r0) * SCALE, (c[1] + np.sin(a) * r0) * SCALE), ((c[0] + np.cos(a) * (r - 1)) * SCALE, (c[1] + np.sin(a) * (r - 1)) * SCALE)],
            fill=int(rng.uniform(130, 190)), width=2,
        )
    disc(c[0], c[1], r * 0.46, 245)
    disc(c[0] - r * 0.3, c[1] - r * 0.34, r * 0.2, 0)
    a = np.asarray(iris, np.float32) / 255 * (np.asarray(clip) > 0)
    # The upper lid throws a shadow on the eye.
    sheet.shade(np.vstack([up, (up + [0, 4.0])[::-1]]), 0.30, 1.2)
    makeup = style.get("makeup", 0)
    sheet.stroke(up, 2.6 + 0.8 * makeup, 0.92, (0.45, 0.6), 0.15, 0.1)
    sheet.stroke(up[len(up) // 3 :] + [0, -0.7], 1.8 + makeup, 0.85, (0.3, 0.5), 0.15, 0.1)
    sheet.stroke(lo[6:], 1.2, 0.55, (0.2, 0.5), 0.2, 0.4)
    # Crease above the lid, shadow between crease and brow.
    lift = np.linspace(0.3, 0.62, len(up))[:, None] * np.array([[0, -1.0]]) * look.eye_h
    crease = up + lift * 0.82
    sheet.stroke(crease[4:-2], 1.2, 0.55, (0.1, 0.2), 0.3, 0.5)
    sheet.shade(np.vstack([up, crease[::-1]]), 0.10 + 0.12 * makeup, 2.0)
    if makeup:
        n = normals(up)
        for t in np.linspace(0.42, 0.99, int(9 + 5 * makeup)):
            i = int(t * (len(up) - 1))
            out = np.array([side * (t - 0.25) * 5.5, -(4.2 + rng.uniform(-0.8, 1.2))]) * (0.6 + 0.4 * makeup)
            mid = up[i] + out * 0.5 + np.array([side * 0.2, 0.8])
            sheet.stroke(smooth([tuple(up[i]), tuple(mid), tuple(up[i] + out)], step=0.7), 0.9, 0.8, (1.0, 0.1), 0, 0)
    # Below the eye.
    age = style.get("age", 0)
    bag = lo + np.array([[0, 6.5]]) + np.stack([np.zeros(len(lo)), np.sin(np.linspace(0, np.pi, len(lo))) * 3], 1)
    sheet.stroke(bag[3 : int(len(bag) * 0.8)], 0.9, 0.20 + 0.34 * age, (0.1, 0.1), 0.4, 0.4)
    if age > 0.6:
        end = lo[-1]
        for k, dy in enumerate((-5, 1, 7)):
            sheet.stroke(smooth([(end[0] + side * 4, end[1] + dy * 0.6), (end[0] + side * 12, end[1] + dy * 1.1), (end[0] + side * 20, end[1] + dy * 1.8 + 1)]), 0.9, 0.4, (0.2, 0.1), 0.3, 0.3)
    return a


def _brow(sheet, head, look, side, style):
    rng = sheet.rng
    spine, widths = face.brow(look, side)
    n = normals(spine) * -side
    sheet.shade(head.place(face.brow_shape(look, side), bump=4), 0.30 if style.get("hair", 0.3) > 0.2 else 0.16, 1.6)
    w = np.interp(np.linspace(0, 1, len(spine)), np.linspace(0, 1, len(widths)), widths)
    dark = 0.55 + 0.4 * min(1, style.get("hair", 0.3) * 2.4)
    for _ in range(int(9 * look.brow_thick)):
        t = rng.uniform(0, 1)
        i = int(t * (len(spine) - 1))
        o = rng.uniform(-0.5, 0.42) * w[i]
        p = spine[i] - n[i] * o * 1.0
        # Hairs stand up at the inner end and lie along the brow further out; the upper ones bend down, the lower ones up.
        tan = spine[min(i + 3, len(spine) - 1)] - spine[max(i - 3, 0)]
        tan = tan / max(np.hypot(*tan), 1e-6)
        up = np.array([0, -1.0])
        direction = tan * (0.35 + 0.9 * t) + up * (0.85 * (1 - t) ** 1.5 + 0.15) * (1 if o > -0.1 * w[i] else 0.4)
        direction /= np.hypot(*direction)
        length = rng.uniform(4.5, 9) * (1 - 0.25 * t)
        c = smooth([tuple(p), tuple(p + direction * length * 0.55 + tan * 0.4), tuple(p + direction * length + tan * 1.2)], step=0.8)
        sheet.stroke(head.place(c, bump=4), rng.uniform(0.7, 1.3), dark * rng.uniform(0.45, 1.0), (0.6, 0.1), 0, 0.1)


def _nose(sheet, head, look, style):
    w, e = look.nose_w, look.nose_end
    near = 1 if head.yaw < 0 else -1

    def put(pts, width, dark, ends=(0.15, 0.15), bump=16.0, shake=0.3):
        sheet.stroke(head.place(smooth(pts, step=0.8), bump=bump), width, dark, ends, shake, 0.3)

    for side in (-1, 1):
        x = lambda v: 256 + side * v  # noqa: E731
        # Wing, nostril, the small line under it.
        put([(x(w - 8), 306), (x(w - 1), 315), (x(w + 1), 325), (x(w - 4), 333), (x(w - 11), 334)], 1.5, 0.72)
        nostril = [(x(w - 14), e - 7), (x(w - 19), e - 8.6), (x(15), e - 7.2), (x(10.5), e - 5)]
        put(nostril, 3.0, 0.85, (0.3, 0.2), shake=0.1)
        put([(x(w - 17), e - 7), (x(15), e - 6.2)], 2.4, 0.8, (0.3, 0.2), shake=0)
        put([(x(w - 12), e - 3), (x(11), e - 0.5), (x(5), e + 3.2), (x(0), e + 4)], 1.2, 0.5, (0.1, 0.4))
        sheet.shade(head.place(smooth([(x(10), e - 4), (x(w - 8), e - 8), (x(w - 8), e), (x(6), e + 6)], True), bump=16), 0.12, 2.5)
    # The side of the bridge, on the shadow side stronger.
    for side, d in ((near, 0.28), (-near, 0.45)):
        x = lambda v: 256 + side * v  # noqa: E731
        put([(x(look.nose_bridge + 7), 232), (x(look.nose_bridge - 1), 246), (x(look.nose_bridge - 2), 262)], 1.0, d, (0.1, 0.05))
        put([(x(look.nose_bridge + 1), 284), (x(look.nose_bridge + 5), 297), (x(w - 11), 306)], 0.9, d * 0.7, (0.05, 0.1))
        s = head.place(smooth([(x(look.nose_bridge + 8), 236), (x(look.nose_bridge - 3), 262), (x(look.nose_bridge - 1), 290), (x(w - 6), 308), (x(w), 296), (x(look.nose_bridge + 10), 270)], True), bump=14)
        sheet.shade(s, 0.09 if side == -near else 0.0, 3.0)
    put([(250, e - 20), (256, e - 17), (263, e - 20)], 0.8, 0.16)
    put([(251, 347), (250.5, 355), (249, 361)], 0.9, 0.22, (0.1, 0.1), 8)
    put([(261, 347), (261.5, 355), (263, 361)], 0.9, 0.18, (0.1, 0.1), 8)


def _mouth(sheet, head, look, style):
    rng = sheet.rng
    ut, ul, lt, ll = (resample(head.place(c, bump=9), 121) for c in face.mouth(look))
    makeup = style.get("makeup", 0)
    tone = 0.10 + 0.16 * makeup
    sheet.shade(np.vstack([ut, ul[::-1]]), tone + 0.12, 1.0)
    sheet.shade(np.vstack([lt, ll[::-1]]), tone, 1.4)
    n = len(ul)
    if look.mouth_gap > 4:
        # Teeth: white, a dark corner on either side, a shadow under the lip, thin lines between.
        gap = (lt - ul)[:, 1]
        depth = gap.max()
        teeth_h = min(depth * 0.8, 13.5)
        low = ul.copy()
        low[:, 1] = np.minimum(ul[:, 1] + teeth_h * np.clip(gap / (depth * 0.55), 0, 1) ** 0.7, lt[:, 1])
        if depth > 17:
            sheet.fill(np.vstack([low, lt[::-1]]), 0.80)
            sheet.stroke(low[8:-8], 1.3, 0.7, (0.3, 0.3), 0.2, 0.2)
        else:
            sheet.stroke(low[6:-6], 1.1, 0.45, (0.2, 0.2), 0.2, 0.2)
        sheet.shade(np.vstack([ul, (ul + [0, 3.5])[::-1]]), 0.28, 1.2)
        for end in (0.05, 0.95):
            k = int(end * n)
            a, b = max(0, k - int(n * 0.07)), min(n, k + int(n * 0.05))
            sheet.fill(np.vstack([ul[a:b], lt[a:b][::-1]]), 0.72)
        for t in (0.16, 0.23, 0.31, 0.40, 0.50, 0.60, 0.69, 0.77, 0.84):
            k = int(t * n)
            p, q = ul[k], low[k]
            if q[1] - p[1] > 3:
                sheet.stroke(np.array([p, (p + q) / 2 + [0.3, 0], q]), 0.8, 0.34, (0.6, 0.3), 0, 0.3)
        sheet.stroke(ul, 1.7, 0.85, (0.6, 0.6), 0.2, 0.2)
        sheet.stroke(lt, 1.5, 0.75, (0.6, 0.6), 0.2, 0.2)
    else:
        sheet.stroke(ul, 2.2, 0.92, (0.5, 0.5), 0.25, 0.25)
        sheet.stroke(ul[n // 3 : 2 * n // 3] + [0, 0.6], 1.6, 0.75, (0.1, 0.1), 0.2, 0.2)
    line = 0.55 + 0.25 * makeup
    sheet.stroke(ut, 1.2, line, (0.35, 0.35), 0.25, 0.35)
    sheet.stroke(ll[int(n * 0.06) : int(n * 0.94)], 1.3, line, (0.1, 0.1), 0.3, 0.35)
    for c, s in ((ut[0], -1), (ut[-1], 1)):
        up = -1.5 if look.smile > 3 else 1.5
        sheet.stroke(smooth([(c[0] - s * 3, c[1] + 0.5), (c[0] + s * 1.5, c[1]), (c[0] + s * 4, c[1] + up)], step=0.7), 2.0, 0.75, (0.4, 0.2), 0, 0.1)
    # Creases of the lips.
    for _ in range(16):
        t = rng.uniform(0.25, 0.75)
        k = int(t * n)
        p, q = lt[k], ll[k]
        f, g = rng.uniform(0.05, 0.3), rng.uniform(0.45, 0.85)
        sheet.stroke(np.array([p + (q - p) * f, p + (q - p) * (f + g) / 2 + [(t - 0.5) * 2, 0], p + (q - p) * g + [(t - 0.5) * 4, 0]]), 0.7, rng.uniform(0.15, 0.35), (0.3, 0.1), 0, 0.2)
    under = ll[int(n * 0.3) : int(n * 0.7)] + [0, 5]
    sheet.shade(np.vstack([under, (under + [0, 6])[::-1]]), 0.20, 3.0)
    sheet.stroke(under + [0, 2], 1.0, 0.25, (0.05, 0.05), 0.4, 0.4)


def _folds(sheet, head, look, style):
    """Lines of a smile and of age, soft shade at the sides of the face."""
    rng = sheet.rng
    age, smile = style.get("age", 0), max(0, look.smile - 4) / 12
    w = look.mouth_w
    for side in (-1, 1):
        x = lambda v: 256 + side * v  # noqa: E731
        d = 0.10 + 0.30 * smile + 0.30 * age
        c = smooth([(x(look.nose_w + 4), 318), (x(w * 0.92 + 2), 340), (x(w + 9 + 3 * smile), 362), (x(w + 10), 384 - 4 * smile)], step=1)
        sheet.stroke(head.place(c, bump=6), 1.3, min(0.75, d), (0.15, 0.05), 0.4, 0.3)
        band = np.vstack([c, (c + [side * 7, 2])[::-1]])
        sheet.shade(head.place(band, bump=6), d * 0.30, 3.0)
        if smile > 0.4:
            c = smooth([(x(w + 16), 356), (x(w + 20), 370), (x(w + 17), 386)], step=1)
            sheet.stroke(head.place(c), 0.9, 0.28, (0.1, 0.1), 0.4, 0.3)
        # Cheek hatching towards the outline.
        for k in range(11):
            y = 306 + k * 10 + rng.uniform(-3, 3)
            far = 118 - max(0, y - 330) * 0.46
            c = smooth([(x(far - 2), y), (x(far - 12), y + 9), (x(far - 20 - rng.uniform(0, 8)), y + 20)], step=1)
            sheet.stroke(head.place(c), 0.8, rng.uniform(0.10, 0.24), (0.4, 0.05), 0.3, 0.3)
        edge = smooth([(x(124), 250), (x(120), 320), (x(98), 384), (x(66), 436), (x(50), 424), (x(84), 376), (x(106), 316), (x(112), 250)], True)
        sheet.shade(head.place(edge), 0.12 if side * (1 if head.yaw < 0 else -1) > 0 else 0.03, 6.0)
        sheet.shade(head.place(smooth([(x(20), 226), (x(40), 222), (x(36), 238), (x(22), 246)], True)), 0.10, 4.0)
    if age > 0.3:
        for k, y in enumerate((150, 165, 180)[: 2 if age < 0.6 else 3]):
            c = smooth([(196 + 6 * k, y + 3), (226, y - 1), (256, y + 1), (286, y - 2), (318 - 5 * k, y + 3)], step=1)
            sheet.stroke(head.place(c), 1.0, 0.18 + 0.22 * age, (0.05, 0.05), 0.9, 0.6)
        for s, dy in ((-1, 0), (1, 2)):
            sheet.stroke(head.place(smooth([(256 + s * 7, 204 + dy), (256 + s * 6, 216), (256 + s * 9, 226)], step=1)), 1.0, 0.25 + 0.2 * age, (0.1, 0.1), 0.3, 0.2)
    sheet.stroke(head.place(smooth([(240, 452), (256, 456), (273, 452)], step=1)), 0.9, 0.14, (0.1, 0.1), 0.4, 0.3)


def _beard(sheet, person, m, full):
    """Beard hairs (or stubble) on jaw, chin and upper lip: drawn inside the skin, around the lips."""
    rng, head, look = sheet.rng, person.head, person.look
    ok = (m == CLASS["skin"])[::SCALE, ::SCALE]
    grown = np.zeros((SIZE, SIZE), np.float32)
    w, y0 = look.mouth_w, look.mouth_y
    area = smooth(
        [
            (256, 348), (282, 346), (256 + w + 6, 356), (256 + w + 22, 384), (340, 372), (366, 322), (380, 276), (388, 330), (376, 400), (346, 450), (304, 480), (256, 488),
        ]
        + [(512 - x, y) for x, y in [(304, 480), (346, 450), (376, 400), (388, 330), (380, 276), (366, 322), (340, 372), (256 + w + 22, 384), (256 + w + 6, 356), (282, 346)]],
        True,
    )
    im = Image.new("L", (SIZE, SIZE), 0)
    ImageDraw.Draw(im).polygon([tuple(p) for p in head.place(area)], fill=255)
    lip = [head.place(c, bump=9) for c in face.mouth(look)]
    ImageDraw.Draw(im).polygon([tuple(p) for p in np.vstack([lip[0] + [0, -2], (lip[3] + [0, 3])[::-1]])], fill=0)
    grown = np.asarray(im.filter(ImageFilter.GaussianBlur(5)), np.float32) / 255 * ok
    sheet.wash += grown * 0.20 * full * 1.2
    chin = head.place(np.array([[256, 400.0]]))[0]
    for _ in range(int(2600 * full) if not 0.45 < full < 0.6 else 3600):
        x, y = rng.uniform(100, 412), rng.uniform(270, 492)
        v = grown[int(min(y, 511)), int(x)]
        if rng.random() > v * 1.15:
            continue
        out = np.array([(x - chin[0]) * 0.010, 1.0])
        if y < y0 - 2 and abs(x - chin[0]) < w + 14:
            out = np.array([np.sign(x - chin[0]) * 1.1, 0.75])
        out = out / np.hypot(*out)
        p = np.array([x, y])
        ln = rng.uniform(6, 14) if full > 0.6 else rng.uniform(3.5, 7) if full > 0.45 else rng.uniform(1.5, 3)
        bend = np.array([rng.normal(0, 1.2), 0]) * (ln / 10)
        end = p + out * (ln - 4)
        if full > 0.6 and not ok[int(min(end[1], 511)), int(np.clip(end[0], 0, 511))] and rng.random() < 0.7:
            continue
        sheet.stroke(smooth([tuple(p), tuple(p + out * ln * 0.5 + bend), tuple(p + out * ln)], step=1.0), rng.uniform(0.7, 1.3), rng.uniform(0.25, 0.85) * (1 if full > 0.45 else 0.6), (0.5, 0.1), 0, 0.2)


def _body(sheet, person):
    rng, head = sheet.rng, person.head
    skin = head.place(smooth(person.skin, True))
    # Shadow of the head on the neck.
    neck = head.place(smooth(person.neck, True), depth=30.0)
    im = Image.new("L", (SIZE, SIZE), 0)
    ImageDraw.Draw(im).polygon([tuple(p) for p in skin + [4, 18]], fill=255)
    clip = Image.new("L", (SIZE, SIZE), 0)
    ImageDraw.Draw(clip).polygon([tuple(p) for p in neck], fill=255)
    a = np.asarray(im.filter(ImageFilter.GaussianBlur(9)), np.float32) / 255 * (np.asarray(clip) > 0)
    face_m = Image.new("L", (SIZE, SIZE), 0)
    ImageDraw.Draw(face_m).polygon([tuple(p) for p in skin], fill=255)
    sheet.wash += a * 0.34 * (np.asarray(face_m) == 0)
    cx = neck[:, 0].mean()
    for side in (-1, 1):
        c = smooth([(cx + side * 52, 446), (cx + side * 40, 476), (cx + side * 18, 506)], step=1)
        sheet.stroke(c, 1.1, 0.30, (0.05, 0.2), 0.5, 0.4)
    for k in range(16):
        x = cx + rng.uniform(-58, 58)
        y = 468 - abs(x - cx) * 0.35 + rng.uniform(0, 8)
        sheet.stroke(smooth([(x, y), (x + 3, y + 8), (x + 5, y + 16 + rng.uniform(0, 10))], step=1), 0.8, rng.uniform(0.12, 0.3), (0.4, 0.05), 0.3, 0.3)
    for line in person.cloth_lines:
        c = head.place(smooth(line), depth=60.0)
        sheet.stroke(c, 1.6, 0.7, (0.4, 0.3), 0.4, 0.35)
        sheet.shade(np.vstack([c, (c + [5, 5])[::-1]]), 0.10, 3.0)


def _accessories(sheet, person):
    head = person.head
    for c, w in person.necklace:
        spine = head.place(smooth(c), depth=30.0)
        for p in resample(spine, int(len(spine) * 2 / (w * 0.9))):
            t = np.linspace(0, 6.3, 14)
            sheet.stroke(np.stack([p[0] + np.cos(t) * w * 0.42, p[1] + np.sin(t) * w * 0.42], 1), 0.9, 0.7, (0.9, 0.9), 0, 0.2)
    for e in person.earrings:
        c = head.place(smooth(e, True), depth=0.0)
        mid = c.mean(0)
        sheet.stroke(mid + (c - mid) * 0.6, 0.9, 0.5, (0.6, 0.6), 0.2, 0.3)
        sheet.shade(mid + (c - mid) * 0.7 + [1, 1.5], 0.22, 1.0)
    for kind, pts, w in person.glasses:
        c = head.place(smooth(pts, kind == "lens", 1.0), bump=14.0)
        if kind == "lens":
            c = np.vstack([c, c[:6]])
            mid = c.mean(0)
            sheet.stroke(c, 3.4, 0.88, (0.8, 0.8), 0.1, 0.2)
            inner = mid + (c - mid) * 0.93
            sheet.stroke(inner, 0.9, 0.4, (0.7, 0.7), 0.1, 0.4)
            for dx in (0, 7):
                sheet.stroke(np.array([mid + [-22 + dx, 14], mid + [-8 + dx, -16]]), 0.9, 0.22, (0.2, 0.2), 0.3, 0.3)
        else:
            sheet.stroke(c, w * 0.62, 0.85, (0.8, 0.8), 0.1, 0.2)
    rng = sheet.rng
    for line in person.hat_lines:
        sheet.stroke(head.place(smooth(line), depth=0.0), 1.6, 0.75, (0.6, 0.6), 0.5, 0.3)
    if person.style.get("hat_ribs"):
        _ribs(sheet, person)


def _ribs(sheet, person):
    """Knitting: ribs that run up the crown and narrower ones on the folded band."""
    rng, head = sheet.rng, person.head
    for k in range(19):
        u = (k - 9) / 9.0
        x0 = 258 + u * 158
        c = smooth([(x0, 116 + abs(u) * 6), (258 + u * 150, 80), (258 + u * 112, 38), (258 + u * 40, 6)], step=1.5)
        cut = int(len(c) * rng.uniform(0.75, 1.0))
        sheet.stroke(head.place(c[:cut], depth=0.0), 1.1, rng.uniform(0.25, 0.5), (0.4, 0.1), 0.6, 0.5)
    for k in range(30):
        u = (k - 14.5) / 15.0
        x0 = 257 + u * 166
        top, low = 90 + abs(u) ** 2 * 26, 150 + abs(u) ** 2 * 20
        c = smooth([(x0, top + 3), (x0 + u * 3, (top + low) / 2), (x0 + u * 2, low - 3)], step=1.5)
        sheet.stroke(head.place(c, depth=0.0), 1.3, rng.uniform(0.3, 0.6), (0.4, 0.3), 0.6, 0.4)


def draw(person):
    """The sketch as a grey picture of 512 x 512."""
    rng = np.random.default_rng(person.seed * 7919 + 1)
    head, look, style = person.head, person.look, person.style
    m = labels(person)
    ink = _contours(m, rng)

    sheet = Sheet(person.seed * 31 + 5)
    hair = m == CLASS["hair"]
    tone = style.get("hair", 0.3)
    dark = 0.62 + 0.38 * min(1, tone * 2.4)
    if style.get("curly"):
        _curl_strands(sheet, hair, dark)
    _strands(sheet, head, person.guides, style.get("density", 1.0), dark)
    inside = np.asarray(Image.fromarray((hair * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(1.5)), np.float32) / 255
    hair_ink = np.asarray(sheet.layer(), np.float32) / 255 * inside
    hair_wash = _hair_wash(person, hair, rng)

    eyes = [_eye(sheet, head, look, s, style) for s in (1, -1)]
    for s in (1, -1):
        _brow(sheet, head, look, s, style)
    _nose(sheet, head, look, style)
    _mouth(sheet, head, look, style)
    _folds(sheet, head, look, style)
    if style.get("beard"):
        _beard(sheet, person, m, style["beard"])
    if style.get("stubble"):
        _beard(sheet, person, m, style["stubble"])
    covered = hair | (m == CLASS["hat"])
    free = 1 - np.asarray(Image.fromarray((covered * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(1.5)), np.float32) / 255
    sheet.wash = sheet.wash * free[::SCALE, ::SCALE] * np.isin(m[::SCALE, ::SCALE], FACE) + hair_wash
    features = np.maximum(np.asarray(sheet.layer(), np.float32) / 255, np.maximum(eyes[0], eyes[1])) * free

    for e in person.ears:
        for c, w, d in zip(face.ear(**e)[1:], (1.3, 1.5), (0.6, 0.5)):
            sheet.stroke(head.place(c, depth=0.0), w, d, (0.1, 0.1), 0.3, 0.3)
    ears = np.asarray(sheet.layer(), np.float32) / 255 * np.isin(m, (CLASS["l_ear"], CLASS["r_ear"]))
    _body(sheet, person)
    body = np.asarray(sheet.layer(), np.float32) / 255 * np.isin(m, (CLASS["neck"], CLASS["cloth"]))
    _accessories(sheet, person)
    extra = np.asarray(sheet.layer(), np.float32) / 255

    cloth = np.asarray(Image.fromarray(((m == CLASS["cloth"])[::SCALE, ::SCALE] * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(0.8)), np.float32) / 255
    hat = np.asarray(Image.fromarray(((m == CLASS["hat"])[::SCALE, ::SCALE] * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(0.8)), np.float32) / 255
    sheet.wash += cloth * style.get("cloth", 0.09) + hat * 0.12
    wash = np.minimum(sheet.wash, 0.55)
    lines = np.maximum.reduce([ink, hair_ink, features, ears, body, extra])
    lines = np.asarray(Image.fromarray((lines * 255).astype(np.uint8)).resize((SIZE, SIZE), Image.BOX), np.float32) / 255
    lines = np.clip(lines * 1.12, 0, 0.98)
    out = 1 - np.maximum(lines, wash) - 0.45 * np.minimum(lines, wash)
    # Few grey levels keep the file small; they lie closer together in the light tones, where soft shade would show steps.
    out = 1 - (np.round(np.sqrt(1 - np.clip(out, 0, 1)) * LEVELS) / LEVELS) ** 2
    return Image.fromarray((out * 255).astype(np.uint8), "L")
