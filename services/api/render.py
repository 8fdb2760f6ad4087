"""Markdown to HTML that is safe to put on the annotator page.

Three fences, each enough for scripts: markdown-it shows raw HTML as text, nh3 keeps a short list of tags and
attributes, and the page's content security policy runs nothing inline. Nothing is loaded from elsewhere: an image
becomes its description and a link to it.

The cost is bounded by a budget of parser steps and by the shape of the code to colour, not by a clock, so that
everybody sees the same text rendered the same way; what goes over a bound is shown as it was written. So is what
markdown would hide: a reader must see every word that is judged.
"""

from __future__ import annotations

import re
from collections.abc import Callable, MutableMapping, Sequence
from functools import lru_cache
from html import escape
from typing import Any

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.utils import OptionsDict
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name

MARKDOWN_LIMIT = 60_000  # characters; a longer text is shown as it was written
HIGHLIGHT_LIMIT = 16_000  # characters of code coloured in one text
STEP_LIMIT = 40_000  # blocks and inline positions that the parser may visit
CACHED_TEXTS = 256
CACHED_LENGTH = 8_000  # characters; longer texts are not kept, so the cache stays in the megabytes

_TAGS = {
    "p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "ul", "ol", "li", "strong", "em", "s",
    "code", "pre", "a", "table", "thead", "tbody", "tr", "th", "td", "span", "div",
}  # fmt: skip
_ATTRIBUTES = {"a": {"href", "title", "target"}, "ol": {"start"}} | {tag: {"class"} for tag in ("span", "code", "div")}

# Pygments' lexers are regular expressions, many of them quadratic: these stay below 0.3 s for 16,000 characters of any
# of some thirty nasty inputs, once long lines and long runs of blanks are kept from them. Java's and C#'s own are not
# among them: JavaScript's knows most of their words.
_LANGUAGES = {
    "bash": "bash", "c": "c", "c#": "javascript", "c++": "cpp", "cpp": "cpp", "cs": "javascript",
    "csharp": "javascript", "css": "css", "diff": "diff", "docker": "docker", "dockerfile": "docker", "go": "go",
    "golang": "go", "graphql": "graphql", "haskell": "haskell", "html": "html", "java": "javascript",
    "javascript": "javascript", "js": "javascript", "json": "json", "jsx": "jsx", "julia": "julia",
    "kotlin": "kotlin", "kt": "kotlin", "lua": "lua", "matlab": "matlab", "patch": "diff", "perl": "perl",
    "php": "php", "powershell": "powershell", "ps1": "powershell", "py": "python", "pycon": "pycon",
    "python": "python", "python3": "python", "r": "r", "rb": "ruby", "rs": "rust", "ruby": "ruby", "rust": "rust",
    "scala": "scala", "scss": "scss", "sh": "bash", "shell": "bash", "sql": "sql", "svg": "xml", "swift": "swift",
    "toml": "toml", "ts": "typescript", "tsx": "tsx", "typescript": "typescript", "xml": "xml", "yaml": "yaml",
    "yml": "yaml", "zsh": "bash",
}  # fmt: skip
# One line that begins with a letter and holds nothing that markdown or HTML gives a meaning to: most short answers.
_PLAIN = re.compile(r"""[^\W\d_][^\x00-\x1f\x7f\xa0\\`*_\[\]<>~|&"\ud800-\udfff]*(?<!\s)""")
_COSTLY = re.compile(r"[^\n]{401}|\s{51}")


class _HiddenTextError(Exception):
    """Blocks nested deeper than the parser goes: it would leave out what is in them."""


class _TooManyStepsError(Exception):
    """The text would cost more to parse than its budget allows."""


def render_markdown(text: str) -> str:
    """Sanitised HTML of a markdown text; code is coloured by Pygments' short classes (`k`, `s2`, ...).

    Never raises, whatever the text; parses at most `STEP_LIMIT` positions of at most `MARKDOWN_LIMIT` characters.
    """
    return _render_cached(text) if len(text) <= CACHED_LENGTH else _render(text)


def _render(text: str) -> str:
    if len(text) > MARKDOWN_LIMIT:
        return _as_written(text)
    if _PLAIN.fullmatch(text):
        return f"<p>{text}</p>\n"
    try:
        return _sanitise(_html(_printable(text)))
    except (_TooManyStepsError, _HiddenTextError):
        return _as_written(text)


def _html(text: str) -> str:
    parser, env = _parser(), dict[str, Any]()
    tokens = parser.parse(text, env)
    if any(token.level >= parser.options["maxNesting"] - 1 for token in tokens):
        raise _HiddenTextError
    return str(parser.renderer.render(tokens, parser.options, env))


_render_cached = lru_cache(maxsize=CACHED_TEXTS)(_render)


def _as_written(text: str) -> str:
    return f'<div class="as-written">{escape(_printable(text), quote=False)}</div>'


def _printable(text: str) -> str:
    """Replaces what no UTF-8 page can carry (lone surrogates, NUL) by the replacement character."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "\ufffd")


def _sanitise(html: str) -> str:
    return nh3.clean(
        html,
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
        url_relative="deny",
        link_rel="noopener noreferrer nofollow",
    )


def _parser() -> MarkdownIt:
    """A parser with a fresh budget (0.15 ms). No link references: a few letters could repeat a long address often."""
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True}, renderer_cls=_Renderer)
    parser.enable(["table", "strikethrough"]).disable(["html_block", "html_inline", "reference"])
    _limit_steps(parser)
    return parser


def _limit_steps(parser: MarkdownIt) -> None:
    step = _budget(STEP_LIMIT)

    def block_step(state: StateBlock, start: int, end: int, silent: bool) -> bool:
        step()
        return False

    def inline_step(state: StateInline, silent: bool) -> bool:
        step()
        return False

    parser.block.ruler.before("table", "steps", block_step, {"alt": ["paragraph", "reference", "blockquote", "list"]})
    parser.inline.ruler.before("text", "steps", inline_step)


def _budget(limit: int) -> Callable[[], None]:
    left = limit

    def step() -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise _TooManyStepsError

    return step


class _Renderer(RendererHTML):
    """CommonMark's renderer with coloured code, links in a tab of their own, and no images."""

    def fence(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: MutableMapping[str, Any]) -> str:
        """A fenced block; its language is the first word after the fence."""
        token = tokens[idx]
        language = (token.info.split() or [""])[0][:32]
        return f'<pre><code class="code">{_coloured(token.content, language, env)}</code></pre>\n'

    def link_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: MutableMapping[str, Any]) -> str:
        """A link leaves the page with the task alone."""
        tokens[idx].attrSet("target", "_blank")
        return self.renderToken(tokens, idx, options, env)

    def image(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: MutableMapping[str, Any]) -> str:
        """An image would tell its host who reads: its description and a link stand for it."""
        token = tokens[idx]
        description = self.renderInlineAsText(token.children or [], options, env) or "image"
        return f'<a href="{escape(str(token.attrGet("src")))}" target="_blank">[image: {escape(description)}]</a>'


def _coloured(code: str, language: str, env: MutableMapping[str, Any]) -> str:
    lexer = _LANGUAGES.get(language.lower())
    spent = env.get("highlighted", 0) + len(code)
    if lexer is None or spent > HIGHLIGHT_LIMIT or _COSTLY.search(code):
        return escape(code, quote=False)
    env["highlighted"] = spent
    return str(highlight(code, get_lexer_by_name(lexer, stripnl=False), HtmlFormatter(nowrap=True)))
