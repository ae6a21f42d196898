"""The features of a face as curves, in a frontal view, and the turn of the head.

Feature sizes follow the framing of aligned portraits: eyes at (194, 244) and (318, 244), chin near y = 465.
`side` is +1 for the right-hand side of the picture (the class names call it `l_`) and -1 for the left.
"""

from dataclasses import dataclass, field

import numpy as np

from curves import ribbon, smooth

CX = 256.0


@dataclass
class Look:
    """Everything that makes one face differ from another, apart from hair and clothes."""

    eye_w: float = 45.0
    eye_h: float = 17.0
    eye_tilt: float = 3.0
    brow_y: float = 213.0
    brow_thick: float = 13.0
    brow_arch: float = 9.0
    brow_tilt: float = 2.0
    brow_from: float = 25.0
    brow_to: float = 108.0
    nose_w: float = 36.0
    nose_bridge: float = 17.0
    nose_end: float = 337.0
    mouth_y: float = 379.0
    mouth_w: float = 50.0
    smile: float = 4.0
    mouth_gap: float = 0.0
    lip_up: float = 13.0
    lip_low: float = 19.0
    gaze: tuple = (0.0, 0.0)


@dataclass
class Head:
    """Turns frontal curves by `yaw` degrees (positive: towards the right-hand side of the picture).

    The head is an ellipsoid; the eyes keep their place as in aligned portraits, so it is the outline, the hair and the
    neck that move the other way. A slow wobble of a pixel or two keeps the two halves from being mirror images.
    """

    yaw: float = 0.0
    seed: int = 0
    wobble: float = 1.6
    radius: float = 150.0
    _waves: list = field(default_factory=list)

    def __post_init__(self):
        rng = np.random.default_rng(self.seed + 977)
        self._waves = [(rng.uniform(0.008, 0.03, 2), rng.uniform(0, 6.28, 2), rng.normal(0, 1, 2)) for _ in range(4)]

    def place(self, curve, bump=0.0, depth=None):
        """Where a frontal curve lies in the picture. `bump`: how far it stands out; `depth`: fixed depth (0 = outline)."""
        c = np.array(curve, float)
        # Measured against aligned portraits the hand-set heads came out a little narrow and low: widen cheeks and hair, lift the top.
        d = c[:, 0] - CX
        c[:, 0] = CX + d * (1 + 0.055 * np.clip((np.abs(d) - 60) / 70, 0, 1))
        c[:, 1] -= 0.06 * np.maximum(195 - c[:, 1], 0)
        dx = (c[:, 0] - CX) / self.radius
        dy = np.minimum(c[:, 1] - 250, 0) / 240
        if depth is None:
            z = self.radius * np.sqrt(np.maximum(0, 1 - dx**2 - dy**2)) + bump
        else:
            z = np.full(len(c), float(depth))
        eye_z = self.radius * np.sqrt(1 - (62 / self.radius) ** 2)
        a = np.radians(self.yaw)
        x = CX + (c[:, 0] - CX) * np.cos(a) + (z - eye_z) * np.sin(a)
        # The eyes are back where the alignment puts them: undo the foreshortening in the middle of the face.
        x = CX + (x - CX) * (1 + (1 / np.cos(a) - 1) * np.exp(-(dx**2)))
        y = c[:, 1]
        wx, wy = np.zeros(len(c)), np.zeros(len(c))
        for f, p, s in self._waves:
            wave = np.sin(c[:, 0] * f[0] + p[0]) * np.sin(c[:, 1] * f[1] + p[1])
            wx, wy = wx + wave * s[0], wy + wave * s[1]
        return np.stack([x + wx * self.wobble, y + wy * self.wobble * 0.7], 1)


def eye(look, side):
    """Upper lid, lower lid (both from the inner to the outer corner) and the iris centre and radius."""
    u = np.array([0, 0.10, 0.30, 0.52, 0.76, 0.92, 1.0])
    up = np.array([-0.06, 0.22, 0.58, 0.64, 0.46, 0.22, 0.0])
    lo = np.array([-0.06, -0.14, -0.27, -0.37, -0.30, -0.12, 0.0])
    x = CX + side * (62 + (u - 0.5) * look.eye_w)
    base = 245 - look.eye_tilt * (u - 0.5) * 2
    upper = smooth(list(zip(x, base - up * look.eye_h)), step=1.0)
    lower = smooth(list(zip(x, base - lo * look.eye_h)), step=1.0)
    centre = np.array([[CX + side * 61.5 + look.gaze[0], 245 - 0.13 * look.eye_h + look.gaze[1]]])
    return upper, lower, centre, look.eye_w * 0.235


def brow(look, side):
    """Spine of the brow from its inner to its outer end, and its widths."""
    s = np.array([0, 0.18, 0.42, 0.66, 0.85, 1.0])
    x = CX + side * (look.brow_from + (look.brow_to - look.brow_from) * s)
    rise = np.array([0.0, 0.38, 0.86, 1.0, 0.62, 0.02]) * look.brow_arch
    y = look.brow_y + 5 - rise - look.brow_tilt * s * 2
    spine = smooth(list(zip(x, y)), step=1.0)
    widths = look.brow_thick * np.array([0.82, 1.0, 0.98, 0.86, 0.6, 0.22])
    return spine, widths


def brow_shape(look, side):
    """The closed shape of the brow."""
    return ribbon(*brow(look, side))


def nose(look):
    """The closed shape of the nose, as the class mask has it: bridge, wings, tip."""
    w, b, e = look.nose_w, look.nose_bridge, look.nose_end
    half = [
        (CX + b + 3, 236, 1),
        (CX + b - 1, 256),
        (CX + b + 1, 280),
        (CX + b + 8, 300),
        (CX + w - 3, 312),
        (CX + w, 323),
        (CX + w - 5, 333),
        (CX + w - 15, e - 3),
        (CX + 11, e),
        (CX, e + 4),
    ]
    left = [(2 * CX - p[0], *p[1:]) for p in half[-2::-1]]
    return smooth(half + left, closed=True, step=1.0)


def mouth(look):
    """Four curves from the left to the right corner: top of the upper lip, its lower edge, top and bottom of the lower lip."""
    w, y, s, g = look.mouth_w, look.mouth_y, look.smile, look.mouth_gap
    t = np.array([-1, -0.72, -0.44, -0.17, 0, 0.17, 0.44, 0.72, 1])
    x = CX + t * w
    sag = s * (1 - t**2) - s * 0.65
    top = look.lip_up * np.array([0, 0.42, 0.82, 1.06, 0.84, 1.06, 0.82, 0.42, 0])
    tub = np.array([0, -0.5, -1.0, 0.4, 1.6, 0.4, -1.0, -0.5, 0])
    # An opening mouth stretches the upper lip up a little and drops the jaw.
    rise = g * 0.22 * (1 - t**2) ** 0.8
    drop = g * 0.78 * (1 - np.abs(t) ** 2.2)
    low = look.lip_low * np.array([0, 0.40, 0.78, 0.98, 1.0, 0.98, 0.78, 0.40, 0])
    mid = y + sag + tub * (0.35 if g > 4 else 1.0)
    up_low = mid - rise
    up_top = up_low - top
    lo_top = np.maximum(mid + drop, up_low)
    lo_low = lo_top + low
    return [smooth(list(zip(x, v)), step=1.0) for v in (up_top, up_low, lo_top, lo_low)]


def ear(x, side, top=232.0, height=92.0, width=34.0, out=4.0):
    """Outline of an ear whose inner edge lies at frontal x, and its inner fold."""
    loc = [
        (1.25, 0.10), (0.92, 0.015), (0.55, 0.0), (0.20, 0.09), (0.02, 0.28), (0.05, 0.48), (0.20, 0.66),
        (0.30, 0.82), (0.42, 0.95), (0.64, 1.0), (0.88, 0.95), (1.25, 0.84),
    ]
    fold = [(0.95, 0.17), (0.66, 0.10), (0.36, 0.17), (0.22, 0.34), (0.27, 0.52), (0.42, 0.68), (0.52, 0.80)]
    conch = [(0.86, 0.34), (0.64, 0.36), (0.52, 0.50), (0.62, 0.66), (0.84, 0.68)]

    def at(pts):
        return [(x + side * (width * (1 - u) + out * (1 - v) - out * 0.4), top + v * height) for u, v in pts]

    return smooth(at(loc), closed=True, step=1.0), smooth(at(fold), step=1.0), smooth(at(conch), step=1.0)
