"""The files sink's data files, compressed ones too, whole or torn."""
import io
import re
import zlib
from pathlib import Path

import zstandard

COMPRESSIONS = ("none", "gzip", "zstd")
# pgcourier's members hold 256 KiB of lines at most, so they are not much larger.
WINDOW = 300 * 1024


def file_names(folder, name="shop"):
    """Finished files in order, then the open one."""
    pattern = re.compile(re.escape(name) + r"-([0-9A-F]{16})\.jsonl(\.gz|\.zst)?(\.open)?$", re.IGNORECASE)
    return sorted((path for path in Path(folder).iterdir() if pattern.match(path.name)),
                  key=lambda path: (pattern.match(path.name)[1].upper(), path.name.endswith(".open")))


def content_of_members(data, decompressor_of):
    """(content of the members up to the first that is not whole, whether there was none such)."""
    content, at, view = [], 0, memoryview(data)
    while at < len(data):
        window, decompressor = view[at:at + WINDOW], decompressor_of()
        try:
            piece = decompressor.decompress(window)
        except (zlib.error, zstandard.ZstdError):
            break
        if not decompressor.eof:
            break
        content.append(piece)
        at += len(window) - len(decompressor.unused_data)
    return b"".join(content), at == len(data)


def content_of_file(path):
    """(lines as bytes, False if bytes that make no whole member follow)."""
    data = path.read_bytes()
    if ".jsonl.gz" in path.name:
        return content_of_members(data, lambda: zlib.decompressobj(wbits=31))
    if ".jsonl.zst" in path.name:
        return content_of_members(data, zstandard.ZstdDecompressor().decompressobj)
    return data, True


def read_lines(folder, name="shop"):
    """(file name, line) of every file in order; a torn last line or member is a problem of the caller's parse."""
    for path in file_names(folder, name):
        if ".gz" in path.name or ".zst" in path.name:
            content, whole = content_of_file(path)
            file = io.BytesIO(content if whole else content + b"torn member")
        else:
            file = open(path, "rb")
        with file:
            for line in file:
                yield path.name, line
