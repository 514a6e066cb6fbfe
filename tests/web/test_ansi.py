"""Terminal output becomes HTML that shows colours and can do no harm."""

import time

import pytest

from server.web.ansi import to_html


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("plain", "plain"),
        (
            "<script>alert('x')</script> & \"q\"",
            "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt; &amp; &quot;q&quot;",
        ),
        ("\x1b[0;32mok: [web]\x1b[0m after", '<span class="ansi-fg-2">ok: [web]</span> after'),
        (
            "\x1b[1;31mE:\x1b[22m still red\x1b[m",
            '<span class="ansi-bold ansi-fg-1">E:</span><span class="ansi-fg-1"> still red</span>',
        ),
        ("\x1b[97;41mloud\x1b[39;49m", '<span class="ansi-fg-15 ansi-bg-1">loud</span>'),
        ("\x1b[38;5;208morange\x1b[0m", '<span class="ansi-fg-9">orange</span>'),
        ("\x1b[38;5;4mnamed\x1b[0m", '<span class="ansi-fg-4">named</span>'),
        ("\x1b[38;2;10;200;10mtrue\x1b[0m", '<span class="ansi-fg-10">true</span>'),
        ("\x1b[38;5;999mwrong\x1b[0m", "wrong"),
        ("\x1b[4munder\x1b[24m not", '<span class="ansi-underline">under</span> not'),
        ("\x1b[2K\x1b[1Gdrawn \x1b]8;;http://evil\x07link\x1b]8;;\x07", "drawn link"),
        ("\x1b[38;5", "[38;5"),
        (" 10%\r 50%\r100%\n", "100%\n"),
        ("one\r\ntwo\r\n", "one\ntwo\n"),
        ("bell\x07 null\x00 tab\tkept", "bell null tab\tkept"),
    ],
)
def test_codes_become_classes_and_the_rest_is_text(text: str, html: str) -> None:
    assert to_html(text) == html


def test_one_endless_line_is_read_once() -> None:
    began = time.perf_counter()
    assert to_html("a" * 400_000) == "a" * 400_000
    assert to_html("a" * 200_000 + "\r" + "b" * 200_000) == "b" * 200_000
    assert time.perf_counter() - began < 2
