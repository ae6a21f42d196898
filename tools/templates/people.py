"""All people of the templates, in the order of the list in templates.ron."""

import men
import women


def everyone():
    """The people, most usual hair and head first."""
    return [
        women.long_waves(), women.bob(), men.short_crop(), men.beard(), women.silver(), men.glasses_man(), women.beanie(), women.updo(),
        women.big_curls(), men.messy(), women.side_part(), men.shaved(),
    ]
