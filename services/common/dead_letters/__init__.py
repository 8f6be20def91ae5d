"""Where posts go that cannot be analysed: a stream of their own, with the reason, until a person decides.

`<stream>:dead` holds the letters; each shard has its own. Two hashes belong to it: `<stream>:dead:index` (what a letter
says to its entry) and `<stream>:dead:reasons` (letters by reason). Only the scripts of this package write them, so that
the three agree.
"""

from services.common.dead_letters.burial import Burial, bury
from services.common.dead_letters.letter import DeadLetter
from services.common.dead_letters.sharded import DeadLetters

__all__ = ["Burial", "DeadLetter", "DeadLetters", "bury"]
