"""The text of a post that is written in HTML."""

import re

from selectolax.lexbor import LexborHTMLParser

# Several times what people write on the most generous servers; the worst of so many is parsed in half a second.
MAX_HTML_CHARS = 50_000

_PARAGRAPHS = "p, blockquote, ul, ol, pre, h1, h2, h3, h4, h5, h6"
_LINES = "li, div"
_UNSEEN = ["script", "style"]
_BREAKS = re.compile(r"[ \t]*\n[ \t]*(?:\n[ \t]*)+")


def plain_text(html: str) -> str:
    """Without tags; paragraphs are a blank line apart. Raises nothing, whatever the HTML."""
    tree = LexborHTMLParser(html)
    if tree.body is None:
        return ""
    tree.strip_tags(_UNSEEN)
    for tags, between in ((_PARAGRAPHS, "\n\n"), (_LINES, "\n")):
        for node in tree.body.css(tags):
            node.insert_before(between)
            node.insert_after(between)
    for node in tree.body.css("br"):
        node.insert_before("\n")
    return _BREAKS.sub("\n\n", tree.body.text()).strip()
