"""Tests of the raw file as text: decoding and splitting."""

import pytest

from core.params import read_params
from records.raw import decode, looks_like_utf16, split_records
from records.validation_params import ValidationParams

QUOTED = {"separator": ",", "quoting": True}


@pytest.fixture
def read(params_file):
    """Return a function that splits a text into records."""

    def call(text, **changes):
        path = params_file({f"data_validation.{key}": value for key, value in changes.items()})
        params = read_params(path, "data_validation", ValidationParams)
        return list(split_records(text, params, ["ham", "spam"]))

    return call


def test_a_line_is_a_record_without_quoting(read):
    records = read('ham\t"quoted\nspam\tnot closed"\r\nham\ta\u2028b\x0cc\n')
    assert [record.fields for record in records] == [
        ("ham", '"quoted'),
        ("spam", 'not closed"'),
        ("ham", "a\u2028b\x0cc"),
    ]
    assert [record.row for record in records] == [1, 2, 3]


def test_a_quoted_record_may_have_several_lines(read):
    records = read('ham,"hi, ""you""\nsecond line"\nspam,win\n', **QUOTED)
    assert [record.fields for record in records] == [
        ("ham", 'hi, "you"\nsecond line'),
        ("spam", "win"),
    ]
    assert [record.row for record in records] == [1, 3]
    assert records[0].line == 'ham,"hi, ""you""\nsecond line"'


def test_broken_quoting_and_quotes_that_swallow_lines_are_reasons(read):
    records = read('ham,"a" b\nham,"oh\nspam,win\nham,no"\nham,fine\n', **QUOTED)
    reasons = [record.reason for record in records]
    assert reasons == ["broken quoting", "quotes swallow lines", ""]


@pytest.mark.parametrize(
    ("raw", "encoding", "text"),
    [
        (b"\xef\xbb\xbfham", "utf-8", "ham"),
        (b"see you at the caf\xe9", "utf-8", "see you at the caf\udce9"),
        (b"caf\xe9", "latin-1", "café"),
        ("ham".encode("utf-16"), "utf-16", "ham"),
    ],
)
def test_decodes(raw, encoding, text):
    assert decode(raw, encoding) == text


@pytest.mark.parametrize(
    ("raw", "encoding", "message"),
    [
        (b" \n\n", "utf-8", "the file is empty"),
        ("ham\thello".encode("utf-16"), "utf-8", "in UTF-16, not in utf-8: set data_validation"),
        (b"abc", "utf-16", "the file is not in utf-16"),
        (b"PK\x03\x04" + bytes(200), "utf-8", "the file is a zip archive, not text"),
        (b"\x01\x02" * 100, "utf-8", "the file is binary"),
    ],
)
def test_refuses_bytes_that_are_not_text(raw, encoding, message):
    with pytest.raises(ValueError, match=message):
        decode(raw, encoding)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_recognises_utf_16_with_and_without_its_mark(encoding):
    assert looks_like_utf16("ham\thello there".encode(encoding))
    assert not looks_like_utf16(b"ham\thello there")
