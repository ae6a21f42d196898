"""Smooth curves through hand-set control points, and the shapes made from them.

A control point is `(x, y)` or `(x, y, 1)`; the `1` marks a corner, where the curve may bend sharply.
Coordinates are picture pixels of a 512 x 512 drawing, y pointing down.
"""

import numpy as np


def _hermite(p, closed, step):
    """Sample a centripetal Catmull-Rom curve (as Hermite spans) through `p` about every `step` pixels."""
    n = len(p)
    if n == 1:
        return p.copy()
    if n == 2 and not closed:
        k = max(2, int(np.hypot(*(p[1] - p[0])) / step))
        t = np.linspace(0, 1, k)[:, None]
        return p[0] * (1 - t) + p[1] * t
    if closed:
        q = np.vstack([p[-1:], p, p[:2]])
    else:
        q = np.vstack([2 * p[:1] - p[1:2], p, 2 * p[-1:] - p[-2:-1]])
    d = np.sqrt(np.maximum(np.hypot(*(q[1:] - q[:-1]).T), 1e-6))
    out = []
    for i in range(1, len(q) - 2):
        h0, h1, h2 = d[i - 1], d[i], d[i + 1]
        a, b = (q[i] - q[i - 1]) / h0, (q[i + 1] - q[i]) / h1
        c = (q[i + 2] - q[i + 1]) / h2
        m0 = (a * h1 + b * h0) / (h0 + h1)
        m1 = (b * h2 + c * h1) / (h1 + h2)
        k = max(2, int(np.ceil(d[i] ** 2 / step)))
        t = np.linspace(0, 1, k, endpoint=False)[:, None]
        t2, t3 = t * t, t * t * t
        out.append(
            (2 * t3 - 3 * t2 + 1) * q[i]
            + (t3 - 2 * t2 + t) * h1 * m0
            + (3 * t2 - 2 * t3) * q[i + 1]
            + (t3 - t2) * h1 * m1
        )
    if not closed:
        out.append(p[-1:])
    return np.vstack(out)


def smooth(points, closed=False, step=2.0):
    """A dense polyline through the control points; corners stay sharp."""
    p = np.array([q[:2] for q in points], float)
    corners = [i for i, q in enumerate(points) if len(q) > 2 and q[2]]
    if not corners:
        return _hermite(p, closed, step)
    if closed:
        p = np.vstack([np.roll(p, -corners[0], axis=0), p[corners[0]]])
        cuts = [i - corners[0] for i in corners] + [len(p) - 1]
    else:
        cuts = sorted({0, len(p) - 1, *corners})
    parts = [_hermite(p[a : b + 1], False, step) for a, b in zip(cuts, cuts[1:])]
    return np.vstack([parts[0]] + [q[1:] for q in parts[1:]])


def resample(curve, n):
    """`n` points equally spaced along a polyline."""
    seg = np.hypot(*(curve[1:] - curve[:-1]).T)
    s = np.concatenate([[0], np.cumsum(seg)])
    t = np.linspace(0, s[-1], n)
    return np.stack([np.interp(t, s, curve[:, 0]), np.interp(t, s, curve[:, 1])], 1)


def normals(curve):
    """Unit normals of a polyline (to the left of its direction, y pointing down)."""
    d = np.gradient(curve, axis=0)
    d /= np.maximum(np.hypot(d[:, 0], d[:, 1]), 1e-9)[:, None]
    return np.stack([d[:, 1], -d[:, 0]], 1)


def ribbon(curve, widths):
    """The closed shape of a line of varying width; `widths` are spread along the curve."""
    w = np.interp(np.linspace(0, 1, len(curve)), np.linspace(0, 1, len(widths)), widths)[:, None] / 2
    n = normals(curve)
    return np.vstack([curve + n * w, (curve - n * w)[::-1]])


def lock(points, root, tip=0.5):
    """A lock of hair along a spine given by control points: it swells from its root and tapers to a tip."""
    c = smooth(points, step=2.0)
    t = np.linspace(0, 1, 13)
    return ribbon(c, root * np.minimum(0.35 + 3.2 * t, 1) * (1 - t**1.7) + tip)


def uneven(points, amount, rng, every=26):
    """Control points along a curve again, pushed out and in a little, so that an outline of hair is not a template."""
    base = smooth(points)
    n = normals(base)
    k = max(6, int(np.hypot(*(base[1:] - base[:-1]).T).sum() / every))
    at = np.clip(np.linspace(0, len(base) - 1, k) + rng.uniform(-4, 4, k), 0, len(base) - 1).astype(int)
    at[0], at[-1] = 0, len(base) - 1
    return [tuple(base[i] + n[i] * rng.normal(0, amount)) for i in sorted(set(at))]


def tufts(points, count, length, rng, sweep=0):
    """Locks that leave an outline of hair at a flat angle: (spine, root width) pairs.

    The outline runs from the left over the top. `sweep` +1 or -1 lays all of them one way; 0 lets them fall to both sides.
    """
    base = resample(smooth(points), 500)
    n, mid = normals(base), base[:, 0].mean()
    out = []
    for f in (np.arange(count) + rng.uniform(0.2, 0.8, count)) / count:
        k = int(20 + f * 459)
        sign = sweep or (1 if base[k, 0] > mid + rng.normal(0, 25) else -1)
        run, rise = length * rng.uniform(0.6, 1.3), rng.uniform(1.0, 7.0)
        m = int(np.clip(k + sign * run * 0.5 * 500 / _length(base), 2, 497))
        e = int(np.clip(k + sign * run * 500 / _length(base), 2, 497))
        root = rng.uniform(7, 12)
        out.append(([tuple(base[k] - n[k] * (root * 0.8 + 2)), tuple(base[m] - n[m] * 1.5), tuple(base[e] + n[e] * rise)], root))
    return out


def _length(curve):
    return np.hypot(*(curve[1:] - curve[:-1]).T).sum()


def fringe(points, count, depth, rng, lean=0.0):
    """A hair edge of uneven locks: control points along `points`, narrow notches between softly pointed ends.

    Walking from left to right the locks hang down (`depth` > 0). Notches reach up to twice `depth` into the hair, most of
    them much less; `lean` moves the tips sideways, as combed hair does.
    """
    base = resample(smooth(points), 600)
    n = -normals(base)
    cuts = np.cumsum(rng.lognormal(0.0, 0.55, count))
    cuts = np.concatenate([[0], cuts / cuts[-1]]) * 599
    out = [(*base[0], 1)]
    for i, (a, b) in enumerate(zip(cuts, cuts[1:])):
        tip = a + (b - a) * rng.uniform(0.3, 0.75)
        end = depth * rng.uniform(0.05, 0.75)
        cut = depth * (rng.uniform(0.9, 2.0) if rng.random() < 0.25 else rng.uniform(0.05, 0.6))

        def at(k, d, slide):
            p, m = base[int(np.clip(k, 0, 599))], n[int(np.clip(k, 0, 599))]
            along = np.array([-m[1], m[0]])
            return tuple(p + m * d - along * lean * slide)

        out.append(at(a + (tip - a) * 0.35, end * 0.45, 0.2))
        out.append((*at(tip, end, 1.0), 1))
        out.append(at(tip + (b - tip) * 0.6, end * 0.35, 0.6))
        if i < count - 1:
            out.append((*at(b, -cut, 0.1), 1))
    out.append((*base[-1], 1))
    return out


def curls(points, count, depth, rng):
    """A bumpy edge for curly hair: control points of rounded bulges of very uneven size, bulging along the normals."""
    base = resample(smooth(points), 900)
    n = normals(base)
    cuts = np.cumsum(rng.lognormal(0.0, 0.6, count))
    cuts = np.concatenate([[0], cuts / cuts[-1]]) * 899
    out = [tuple(base[0])]
    for a, b in zip(cuts, cuts[1:]):
        d = depth * min(2.0, (b - a) / 900 * count) * rng.uniform(0.3, 1.0)
        skew = rng.uniform(-0.12, 0.12)
        for f, h in ((0.08, 0.0), (0.3 + skew, 0.75), (0.55 + skew, 1.0), (0.8 + skew, 0.7)):
            k = int(a + (b - a) * f)
            out.append(tuple(base[k] + n[k] * d * h))
        if rng.random() < 0.4:
            out[-4] = (*(base[int(a)] - n[int(a)] * depth * 0.35), 1)
    out.append(tuple(base[-1]))
    return out


def mirror(half, centre=256.0):
    """A whole outline from its right half (first and last point on the centre line)."""
    return list(half) + [(2 * centre - p[0], *p[1:]) for p in half[-2:0:-1]]
