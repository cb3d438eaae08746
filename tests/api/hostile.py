"""Bodies that have brought other servers down (bar S9)."""

import gzip
import json
import zlib

DEEP = 100_000


def hostile(engagement_id: str) -> dict[str, bytes]:
    """Bodies that have brought other servers down."""
    name = b'{"data":{"type":"engagements","attributes":{"name":%s}}}'
    return {
        "nested arrays": b"[" * DEEP + b"]" * DEEP,
        "nested objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
        "nested in data": b'{"data":' + b"[" * DEEP + b"]" * DEEP + b"}",
        "nested in attributes": name % (b"[" * DEEP + b"]" * DEEP),
        "nested in included": b'{"included":' + b"[" * DEEP + b"]" * DEEP + b"}",
        "5,000 digits": name % (b"9" * 5000),
        "huge exponent": name % b"1e999999",
        "NaN": name % b"NaN",
        "Infinity": name % b"-Infinity",
        "lone surrogate": name % rb'"\ud800"',
        "reversed surrogates": name % rb'"\udc00\ud800"',
        "escaped NUL": name % rb'"a\u0000b"',
        "raw NUL": name % b'"a\x00b"',
        "invalid UTF-8": name % b'"\xff\xfe"',
        "overlong UTF-8": name % b'"\xc0\xaf"',
        "UTF-16": json.dumps({"data": {}}).encode("utf-16"),
        "duplicate keys": b'{"data":{"type":"engagements","type":"a","attributes":{"name":"x","name":[]}}}',
        "duplicate data": b'{"data":{},"data":[],"data":null}',
        "many members": b"{" + b",".join(b'"a%d":1' % number for number in range(50_000)) + b"}",
        "negative digits": name % (b"-" + b"9" * 5000),
        "fraction digits": name % (b"0." + b"1" * 5000),
        "BOM twice": b"\xef\xbb\xbf\xef\xbb\xbf{}",
        "unclosed": b'{"data":{"type":"engagements"',
        "trailing": b'{"data":{}}{}',
        "single quotes": b"{'data':{}}",
        "only space": b" \n\t ",
        "empty": b"",
        "number": b"1",
        "string": b'"data"',
        "null": b"null",
        "array of junk": b'{"data":[null,1,"a",[],{}]}',
        "arrays of arrays": b'{"data":[[[]]]}',
        "deep item": b'{"data":[' + b"[" * DEEP + b"]" * DEEP + b"]}",
        "deep meta": b'{"data":[{"type":"envelopes","attributes":{"phone-number":"+1","meta":{"a":'
        + b"[" * DEEP
        + b"]" * DEEP
        + b"}}}]}",
        "wrong everything": b'{"data":{"type":[],"id":{},"attributes":"a","relationships":4}}',
        "linkage of junk": b'{"data":{"type":"envelopes","attributes":{"phone-number":"+12025550100"},'
        b'"relationships":{"engagement":{"data":{"type":"engagements","id":"' + b"z" * 22 + b'"}}}}}',
        "delay": b'{"data":[{"type":"envelopes","attributes":{"phone-number":"+12025550100","delay-in-seconds":'
        + b"9" * 30
        + b'},"relationships":{"engagement":{"data":{"type":"engagements","id":"'
        + engagement_id.encode()
        + b'"}}}}]}',
    }


_BOMB = b"\0" * 10_000_000
ENCODINGS = [
    ("gzip bomb", gzip.compress(_BOMB), "gzip"),
    ("deflate bomb", zlib.compress(_BOMB), "deflate"),
    ("brotli", b"\xce\xb2\xcf\x81", "br"),
    ("two of them", gzip.compress(gzip.compress(_BOMB)), "gzip, gzip"),
    ("unknown", b"{}", "x-none"),
]
"""Compressed bodies: (label, body, Content-Encoding). They are refused unread, so none can grow."""
