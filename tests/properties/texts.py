"""Strategies for hostile text: what an attacker may put into a name, a tag or a claim; it grows."""

from __future__ import annotations

from hypothesis import strategies as st

PIECES = (
    "[sign in](https://evil.example)",
    "![x](https://evil.example/x.png)",
    "**bold** _it_ `code` # head",
    "<img src=x onerror=alert(1)>",
    "<a href='javascript:alert(1)'>",
    "</td></table></body><script>",
    "&lt;b&gt;&#60;&amp",
    "<!--",
    "]]>",
    "{{DATE(2026-11-24T08:14:21Z)}}",
    "{{{TIME(2026-11-24T08:14:21Z)}}",
    "${x}",
    "<at>all</at>",
    "\r\nBcc: all@evil.example",
    "\n\n",
    "=?utf-8?q?a=0D=0ABcc:_all@evil.example?=",
    "=?utf-8?q?=E2=80=AEgnp.exe?=",
    "=?utf-8?b?AA==?=",
    "=?",
    "?=",
    "=0A",
    ".\r\nQUIT",
    "\x00",
    "\x1b[2J\x1b]8;;https://evil.example\x07",
    "\x7f\x9b",
    "\u202egnp.exe",
    "\u2066\u2069\u200f",
    "\u200b\u200d\ufeff\u00ad",
    "\u2028\u2029\x85",
    "\ud800",
    "\udfff",
    "\ue000\U0010ffff\uffff\u0378",
    "e\u0301\u0301\u0301",
    "\u212a\u0130",
    "\U0001f469\u200d\U0001f4bb",
    "漢字",
    "Stranded: ",
    "Missing: ",
    "$(reboot) `reboot` ; rm -rf ~ | '\"\\",
    "=cmd|' /C calc'!A0",
    "%s %n %(x)s {0} {x}",
    "javascript:alert(1)",
    "\\u202e",
)
"""Each of them has hurt somebody's display, mail, shell or spreadsheet."""

any_character = st.characters()
"""Any code point, surrogates too."""
hostile = st.one_of(
    st.sampled_from(PIECES),
    st.text(any_character, max_size=30),
    st.lists(st.one_of(st.sampled_from(PIECES), st.text(any_character, max_size=5)), max_size=8).map("".join),
    st.builds(
        lambda piece, times: piece * times,
        st.one_of(st.sampled_from(PIECES), st.text(any_character, min_size=1, max_size=3)),
        st.integers(1, 700),
    ),
)
"""Text as an attacker would choose it, from nothing to some ten thousand characters."""
