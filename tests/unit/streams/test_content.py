import pytest

from streams.content import markdown_of
from streams.events import Part


@pytest.mark.parametrize(
    ("text", "marks"),
    [
        ("plain words, 3 * 4 and a_b", 0),
        ("# Title", 1),
        ("- one\n- two\n* three\n1. four\n2) five", 5),
        ("**bold** and `code` and [link](https://x.org)", 3),
        ("```py\nx = `1`\n```", 3),  # the fence opens and closes, and a code span between
        ("| a | b |\n|---|---|", 2),
        ("> quoted\nnot", 1),
        ("a line - with a dash\nand 3. in the middle", 0),
        ("", 0),
    ],
)
def test_marks_of_markdown_are_counted(text: str, marks: int) -> None:
    assert markdown_of((Part(text=text),)) == marks
