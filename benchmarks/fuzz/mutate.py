"""Malformed files made from whole ones: by bytes, by text, and by the parts of a format with its checksums kept.

Every function takes a `random.Random`, so that an input is known by its number. Containers are opened, changed inside
and closed again with right checksums: otherwise a checksum refuses all that a reader should have to refuse itself.
"""

from __future__ import annotations

import io
import json
import random
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

Files = dict[str, bytes]

#: Whole numbers at which counters, lengths and indices break.
NUMBERS = (
    0,
    1,
    -1,
    2,
    127,
    128,
    255,
    256,
    -128,
    32767,
    65535,
    65536,
    2**24,
    2**31 - 1,
    2**31,
    -(2**31),
    2**32 - 1,
)
NUMBERS += (2**32, 15_000_000_000, 2**53, 2**62, 2**63 - 1, 2**63, -(2**63), 2**64 - 1, 2**64, 10**30)
#: Numbers as texts hold them.
NUMERALS = (
    *map(str, NUMBERS),
    "NaN",
    "nan",
    "inf",
    "-inf",
    "Infinity",
    "1e309",
    "-1e309",
    "1e-400",
    "0.5",
    "-0.0",
)
NUMERALS += ("1_000", "٣", "1,5", "0x10", "", " ", "True", "null", "9" * 5000, "--1", "+1", "1e5", "²")
#: Texts that something down the line may take for more than a text.
TEXTS = (
    "", " ", "\x00", "\ufeff", "\ud800", "\udfff\ud800", "\u2028", "\x85", "\x1b[31mred", "\x07", "[red]", "[/]",
    "<script>alert(1)</script>", "</script>", "=1+1", "@SUM(A1)", "'", '"', "\\", "\n", "\r\n", "a\tb", "../../x", "/etc/x",
    "..", ".", "-1", "nan", "é", "e\u0301", "𝔸🙂", "\u202eabc", "a" * 3000, "%s%n", "{0}", "{{x}}", "$(x)", "O", "B-", "I-X", "_", "-", "0",
)  # fmt: skip


#: Bytes of a file; a change that would make it larger is left out.
LARGEST = 8 << 20


def mutated(files: Files, rng: random.Random) -> Files:
    """A malformed copy of some files: usually one of them changed, seldom one missing, empty or exchanged."""
    made = dict(files)
    names = sorted(made)
    kind = rng.random()
    name = rng.choice(names)
    if kind < 0.03:
        del made[name]
    elif kind < 0.05:
        made[name] = b""
    elif kind < 0.07:
        made[name] = made[rng.choice(names)]
    elif kind < 0.09:
        # A file under a name that its folder does not expect, or that no shell likes.
        stem, dot, ending = name.rpartition(".")
        made[stem + rng.choice(("\n", " x", "🙂", "'", ".", "-2", "\x1b[31m")) + dot + ending] = made[name]
    else:
        for _ in range(1 if rng.random() < 0.8 else rng.randint(2, 4)):
            name = rng.choice(names)
            made[name] = changed(name, made[name], rng)
    return made


def changed(name: str, content: bytes, rng: random.Random) -> bytes:
    """A file changed in the manner of its format, or blindly."""
    ending = name.rpartition(".")[2].lower()
    own = _BY_ENDING.get(ending, (text_change,))
    if not content or rng.random() < 0.35:
        own = (byte_change,)
    try:
        made = rng.choice(own)(content, rng)
    except Exception:
        # It is malformed already, so that its parts cannot be told.
        made = byte_change(content, rng)
    # A line a thousand times, and that a thousand times: memory is limited for small inputs.
    return made if len(made) <= LARGEST else content


# ------------------------------------------------------------------------------------------------ bytes


def byte_change(content: bytes, rng: random.Random) -> bytes:
    """One blind change: bits, cuts, copies, numbers in any width and order of bytes."""
    data = bytearray(content)
    at = rng.randrange(len(data) + 1) if data else 0
    span = min(len(data) - at, int(rng.expovariate(1 / 16)) + 1)
    kind = rng.randrange(12)
    if kind == 0:
        for _ in range(rng.randint(1, 8)):
            if data:
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif kind == 1 and data:
        data[at % len(data)] = rng.choice(
            (0, 1, 9, 10, 13, 0x20, 0x22, 0x2C, 0x7F, 0x80, 0xC0, 0xED, 0xFE, 0xFF)
        )
    elif kind == 2:
        del data[at:]
    elif kind == 3:
        del data[at : at + span]
    elif kind == 4:
        data[at:at] = bytes(data[at : at + span]) * rng.choice((1, 2, 50))
    elif kind == 5:
        other = rng.randrange(len(data) + 1)
        data[at : at + span] = data[other : other + span]
    elif kind == 6:
        data[at:at] = rng.randbytes(rng.choice((1, 4, 64, 1000)))
    elif kind == 7:
        data += rng.choice((b"\x00", b"\n", b"\x1a", bytes(data), rng.randbytes(100)))
    elif kind == 8:
        data = bytearray(
            rng.choice(
                (b"\x00", b"", b"\xff\xfe", b"PK\x03\x04", b"PK\x05\x06" + bytes(18), rng.randbytes(60))
            )
        )
    elif kind == 9:
        data[at : at + span] = bytes(span)
    else:
        width = rng.choice((1, 2, 4, 8))
        value = rng.choice(NUMBERS) % (1 << 8 * width)
        data[at : at + width] = value.to_bytes(width, rng.choice(("little", "big")))
    return bytes(data)


# ------------------------------------------------------------------------------------------------ text


def text_change(content: bytes, rng: random.Random) -> bytes:
    """One change to a text: numbers, names, line ends, marks of order, bytes that are no UTF-8."""
    kind = rng.randrange(11)
    if kind == 0:
        places = list(re.finditer(rb"-?\d+(\.\d+)?", content))
        if places:
            place = rng.choice(places)
            return content[: place.start()] + _utf8(rng.choice(NUMERALS)) + content[place.end() :]
    if kind == 1:
        places = list(re.finditer(rb"[A-Za-z]{2,}", content))
        if places:
            place = rng.choice(places)
            return content[: place.start()] + _utf8(rng.choice(TEXTS)) + content[place.end() :]
    if kind == 2:
        return rng.choice((b"\xef\xbb\xbf", b"\xff\xfe", b"\x00", b"\n\n", b"\xc3", b"#", b'"')) + content
    if kind == 3:
        return content.replace(
            b"\n", rng.choice((b"\r", b"\r\n", b"\n\n", b"", b"\x0b", b"\xc2\x85", b"\xe2\x80\xa8"))
        )
    if kind == 4:
        at = rng.randrange(len(content) + 1)
        junk = (
            b"\x00",
            b"\xed\xa0\x80",
            b"\xe9",
            b"\xf0\x9f\x98",
            b'"',
            b"\n",
            b"\r",
            b"\t",
            b",",
            b";",
            b"\x1b[2J",
        )
        return content[:at] + rng.choice(junk) + content[at:]
    if kind == 5:
        try:
            return content.decode().encode(rng.choice(("utf-16", "utf-32", "utf-8-sig", "utf-16-le")))
        except UnicodeError:
            return content
    lines = content.split(b"\n")
    row = rng.randrange(len(lines))
    if kind == 6:
        del lines[row]
    elif kind == 7:
        lines.insert(row, rng.choice(lines))
    elif kind == 8:
        lines[row] = lines[row] * rng.choice((2, 1000))
    elif kind == 9:
        rng.shuffle(lines)
    else:
        lines = lines[:row]
    return b"\n".join(lines)


def table_change(content: bytes, rng: random.Random) -> bytes:
    """A table of cells with a column dropped, renamed or twice, or a cell of another kind."""
    mark = b"\t" if content.partition(b"\n")[0].count(b"\t") else b","
    rows = [line.split(mark) for line in content.split(b"\n")]
    column = rng.randrange(max(map(len, rows)))
    kind = rng.randrange(6)
    if kind == 0:
        rows = [row[:column] + row[column + 1 :] for row in rows]
    elif kind == 1:
        rows = [row[: column + 1] + row[column:] for row in rows]
    elif kind == 2 and column < len(rows[0]):
        rows[0][column] = _utf8(rng.choice(TEXTS))
    elif kind == 3:
        value = _utf8(rng.choice((*NUMERALS, *TEXTS)))
        rows = [rows[0]] + [row[:column] + [value] + row[column + 1 :] for row in rows[1:]]
    elif kind == 4:
        row = rng.choice(rows)
        row[rng.randrange(len(row))] = _utf8(rng.choice((*NUMERALS, *TEXTS)))
    else:
        rows[0], rows[-1] = rows[-1], rows[0]
    return b"\n".join(mark.join(row) for row in rows)


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


# ------------------------------------------------------------------------------------------------ JSON


def json_change(content: bytes, rng: random.Random) -> bytes:
    """A JSON document with one value of another type, a key gone, renamed or new."""
    value = json.loads(content)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        value = json_value_change(value, rng)
    return json_text(value, rng)


def json_lines_change(content: bytes, rng: random.Random) -> bytes:
    """JSON lines of which one is changed as `json_change` does."""
    lines = content.split(b"\n")
    row = rng.randrange(len(lines))
    lines[row] = json_change(lines[row], rng) if lines[row].strip() else b"[]"
    return b"\n".join(lines)


def json_text(value: Any, rng: random.Random) -> bytes:
    """JSON as Python writes it, NaN, half characters and all."""
    text = json.dumps(value, ensure_ascii=rng.random() < 0.7)
    return text.encode("utf-8", "surrogatepass")


def json_value_change(value: Any, rng: random.Random) -> Any:
    """A copy of a value with one change somewhere inside."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(list(value))
        made = dict(value)
        kind = rng.randrange(8)
        if kind == 0:
            del made[key]
        elif kind == 1:
            made[rng.choice(TEXTS)] = made.pop(key)
        else:
            made[key] = json_value_change(value[key], rng)
        return made
    if isinstance(value, list) and value and rng.random() < 0.85:
        made = list(value)
        at = rng.randrange(len(made))
        kind = rng.randrange(8)
        if kind == 0:
            del made[at]
        elif kind == 1:
            made.insert(at, made[rng.randrange(len(made))])
        else:
            made[at] = json_value_change(made[at], rng)
        return made
    return odd_value(rng, value)


def odd_value(rng: random.Random, instead: Any = None) -> Any:
    """A value that does not belong there."""
    kind = rng.randrange(9)
    if kind == 0:
        return rng.choice(NUMBERS)
    if kind == 1:
        return rng.choice((float("nan"), float("inf"), -float("inf"), 1e308, -0.0, 0.5, 1e-320))
    if kind == 2:
        return rng.choice(TEXTS)
    if kind == 3:
        return rng.choice((None, True, False, [], {}, [[]], {"": None}, [None] * 40))
    if kind == 4:
        deep: Any = rng.choice((1, "x", None))
        for _ in range(rng.choice((3, 50, 3000))):
            deep = [deep] if rng.random() < 0.7 else {"a": deep}
        try:
            json.dumps(deep)
        except RecursionError:
            return [[[[deep and 1]]]]
        return deep
    if kind == 5:
        return [instead]
    if kind == 6:
        return {"value": instead}
    if kind == 7:
        return str(instead)
    return -instead if type(instead) in (int, float) else instead


def deeply_nested(content: bytes, rng: random.Random) -> bytes:
    """Brackets far deeper than any parser's stack, alone or in the place of a value."""
    depth = rng.choice((500, 5_000, 100_000))
    opening, closing = rng.choice(((b"[", b"]"), (b'{"a":', b"}")))
    deep = opening * depth + b"1" + (closing * depth if rng.random() < 0.7 else b"")
    places = [match.start() for match in re.finditer(rb"[:\[]", content)]
    if not places or rng.random() < 0.3:
        return deep
    at = rng.choice(places) + 1
    return content[:at] + deep + rng.choice((b",", b"")) + content[at:]


# ------------------------------------------------------------------------------------------- containers


def npy_change(content: bytes, rng: random.Random) -> bytes:
    """A .npy file whose header says another shape or type, or whose numbers are others."""
    width = struct.unpack("<H", content[8:10])[0]
    header, body = content[10 : 10 + width].decode("latin1"), content[10 + width :]
    kind = rng.randrange(6)
    if kind == 0:
        shape = ", ".join(str(rng.choice((*NUMBERS, 3, 4))) for _ in range(rng.randint(1, 3)))
        header = re.sub(r"\([^)]*\)", f"({shape},)", header)
    elif kind == 1:
        types = (
            "<i8",
            ">i8",
            "|O",
            "<U0",
            "<U9",
            "<U100000000",
            "|S0",
            "|V8",
            "<f8",
            "<f2",
            "<c16",
            "|b1",
            "<M8[s]",
            "|i1",
            "zz",
            "",
        )
        header = re.sub(r"'descr': '[^']*'", f"'descr': '{rng.choice(types)}'", header)
    elif kind == 2:
        odd = (
            "{}",
            "[",
            "(" * 300,
            "[" * 5000,
            "None",
            "{'descr': [('a', '<i8')], 'fortran_order': False, 'shape': (2,)}",
            "1e999",
            "9" * 5000,
        )
        header = rng.choice(odd)
    elif kind == 3:
        header = text_change(header.encode(), rng).decode("latin1")
    else:
        return content[: 10 + width] + byte_change(body, rng)
    text = header.encode("latin1", "replace")
    return content[:8] + struct.pack("<H", min(len(text), 65535)) + text[:65535] + body


def zip_change(content: bytes, rng: random.Random) -> bytes:
    """A zip archive with a member changed, gone, twice, renamed or blown up; its checksums are right."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    at = rng.randrange(len(members))
    name, data = members[at]
    kind = rng.randrange(9)
    if kind == 0:
        del members[at]
    elif kind == 1:
        members.append((name, rng.choice(members)[1]))
    elif kind == 2:
        names = (
            "../x.npy",
            "/etc/x",
            "..\\x",
            "a\x00b",
            "x" * 300,
            "",
            rng.choice(members)[0],
            "y.npy",
            "🙂.npy",
        )
        members[at] = (rng.choice(names), data)
    elif kind == 3:
        members[at] = (name, data + bytes(rng.choice((10, 5_000_000))))
    elif kind == 4:
        members[at] = (name, rng.choice(members)[1])
    else:
        inner = npy_change if data[:6] == b"\x93NUMPY" else byte_change
        members[at] = (name, inner(data, rng))
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name), data)
    return made.getvalue()


def png_change(content: bytes, rng: random.Random) -> bytes:
    """A PNG with other sizes, depth or colour type in its header, or other pixels; its checksums are right."""
    chunks, at = [], 8
    while at + 12 <= len(content):
        length = int.from_bytes(content[at : at + 4])
        chunks.append([content[at + 4 : at + 8], content[at + 8 : at + 8 + length]])
        at += 12 + length
    place = rng.randrange(len(chunks))
    kind = rng.randrange(5)
    if kind == 0:
        head = bytearray(chunks[0][1])
        side = rng.choice((0, 1, 3, 65535, 100_000, 2**31 - 1, 2**32 - 1)).to_bytes(4)
        start = rng.choice((0, 4))
        head[start : start + 4] = side
        chunks[0][1] = bytes(head)
    elif kind == 1:
        head = bytearray(chunks[0][1])
        head[rng.randrange(8, 13)] = rng.choice((0, 1, 2, 3, 4, 6, 8, 16, 255))
        chunks[0][1] = bytes(head)
    elif kind == 2:
        rows = zlib.decompress(b"".join(data for what, data in chunks if what == b"IDAT"))
        rows = byte_change(rows, rng) if rng.random() < 0.8 else bytes(20_000_000)
        chunks = [chunk for chunk in chunks if chunk[0] != b"IDAT"]
        chunks.insert(-1, [b"IDAT", zlib.compress(rows)])
    elif kind == 3:
        extra = (
            b"PLTE" + bytes(7),
            b"tRNS\x00\x01",
            b"iCCPx\x00\x00x",
            b"zTXta\x00\x00" + zlib.compress(bytes(100_000)),
        )
        chosen = rng.choice(extra)
        chunks.insert(rng.randrange(len(chunks) + 1), [chosen[:4], chosen[4:]])
    else:
        chunks[place][1] = byte_change(chunks[place][1], rng)
    body = b"".join(
        struct.pack(">I", len(data)) + what + data + struct.pack(">I", zlib.crc32(what + data))
        for what, data in chunks
    )
    return content[:8] + body


def wav_change(content: bytes, rng: random.Random) -> bytes:
    """A WAV file with other numbers in the fields of its header."""
    data = bytearray(content)
    at, width = rng.choice(((4, 4), (16, 4), (20, 2), (22, 2), (24, 4), (28, 4), (32, 2), (34, 2), (40, 4)))
    data[at : at + width] = (rng.choice(NUMBERS) % (1 << 8 * width)).to_bytes(width, "little")
    return bytes(data)


def zlib_change(content: bytes, rng: random.Random) -> bytes:
    """msgpack within zlib, changed inside: a value of another type, bytes cut, a bomb."""
    import msgpack

    plain = zlib.decompress(content)
    kind = rng.randrange(5)
    if kind == 0:
        return zlib.compress(byte_change(plain, rng))
    if kind == 1 and rng.random() < 0.02:
        return zlib.compress(plain + bytes(rng.choice((1000, 300_000_000))), 1)
    value = msgpack.unpackb(plain, raw=False, strict_map_key=False)
    key = rng.choice(list(value))
    if isinstance(value[key], bytes) and rng.random() < 0.7:
        value[key] = byte_change(value[key], rng)
    elif kind == 2:
        del value[key]
    else:
        value = json_value_change(value, rng)
    try:
        return zlib.compress(msgpack.packb(value, use_bin_type=True, unicode_errors="surrogatepass"))
    except (OverflowError, ValueError):
        return zlib.compress(byte_change(plain, rng))


_BY_ENDING: dict[str, tuple[Callable[[bytes, random.Random], bytes], ...]] = {
    "csv": (text_change, table_change, table_change),
    "tsv": (text_change, table_change, table_change),
    "json": (json_change, json_change, json_change, text_change, deeply_nested),
    "jsonl": (json_lines_change, json_lines_change, text_change, deeply_nested),
    "npy": (npy_change,),
    "npz": (zip_change,),
    "pt": (zip_change,),
    "png": (png_change,),
    "wav": (wav_change,),
    "spacy": (zlib_change,),
    "parquet": (byte_change,),
    "arrow": (byte_change,),
    "gz": (byte_change,),
}
