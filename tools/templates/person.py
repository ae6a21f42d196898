"""What makes a person: the shapes that the mask and the sketch are drawn from."""

from dataclasses import dataclass, field

from face import Head, Look


@dataclass
class Person:
    """One invented person. Shapes are lists of control points; hair order is back, then front over the face."""

    name: str
    title: str
    prompt: str
    seed: int
    head: Head
    look: Look
    skin: list
    neck: list
    back: list = field(default_factory=list)
    front: list = field(default_factory=list)
    locks: list = field(default_factory=list)
    cloth: list = field(default_factory=list)
    cloth_lines: list = field(default_factory=list)
    ears: list = field(default_factory=list)
    hat: list = field(default_factory=list)
    hat_lines: list = field(default_factory=list)
    glasses: list = field(default_factory=list)
    earrings: list = field(default_factory=list)
    necklace: list = field(default_factory=list)
    guides: list = field(default_factory=list)
    style: dict = field(default_factory=dict)

    def __post_init__(self):
        # Clothes that reach the picture's edge must still do so when the head's turn has moved them.
        self.cloth = [[(q[0] - 60 * (q[0] <= 0) + 60 * (q[0] >= 512), *q[1:]) for q in c] for c in self.cloth]
