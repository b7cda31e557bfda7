"""Writes tests/reference/image: one small image in every flavour of file that must be read.

Made with python 3.11, numpy 2.4.6, tifffile 2026.3.3 and imagecodecs 2026.3.6.
Every file holds `value(c, z, y, x)` below, so that the test needs no second copy.
"""

import pathlib
import struct
import sys
import zlib

import numpy as np
import tifffile

OUT = pathlib.Path(__file__).parent / "image"
NY, NX = 19, 27


def value(dtype, n_layers=1, n_channels=1, modulus=None):
    """(97 c + 31 z + 7 (y // 4) + 3 (x // 5)) mod modulus, axes c, z, y, x."""
    c, z, y, x = np.ogrid[:n_channels, :n_layers, :NY, :NX]
    v = 97 * c + 31 * z + 7 * (y // 2) + 3 * (x // 3)
    return (v % (modulus or 200)).astype(dtype)


def save(name, array, **options):
    tifffile.imwrite(OUT / f"{name}.tif", array, **({"metadata": None} | options))


def plane(dtype, modulus=None):
    return value(dtype, modulus=modulus)[0, 0]


def main():
    OUT.mkdir(exist_ok=True)
    for dtype in "u1 u2 u4 u8 i1 i2 i4 i8 f2 f4 f8".split():
        save(f"type_{dtype}", plane(dtype, 100))
        save(f"big_endian_{dtype}", plane(dtype, 100), byteorder=">")
    for compression in "packbits lzw deflate zstd".split():
        save(f"strips_{compression}", plane("u2"), compression=compression, rowsperstrip=5)
        save(f"tiles_{compression}", plane("u4"), compression=compression, tile=(16, 32))
        if compression != "packbits":
            save(f"predictor_{compression}", plane("u2"), compression=compression, predictor=2, tile=(16, 16))
    save("predictor_big_endian", plane("u4"), compression="deflate", predictor=2, byteorder=">")
    save("predictor_float", plane("f4"), compression="deflate", predictor=3, tile=(16, 16))
    save("predictor_float_big_endian", plane("f8"), compression="deflate", predictor=3, byteorder=">")
    save("big_tiff", plane("u2"), bigtiff=True, compression="deflate", tile=(16, 16))
    save("min_is_white", plane("u1"), photometric="miniswhite")
    save("palette", plane("u1"), photometric="palette", colormap=np.zeros((3, 256), "u2"))
    save("pages", value("u2", 5)[0])
    save("pages_tiles", value("u2", 5)[0], compression="deflate", tile=(16, 16))
    rgb = np.moveaxis(value("u1", 1, 3)[:, 0], 0, -1)
    save("rgb", rgb, photometric="rgb")
    save("rgb_planar", np.moveaxis(rgb, -1, 0), photometric="rgb", planarconfig="separate", tile=(16, 16))
    save("rgba", np.moveaxis(value("u1", 1, 4)[:, 0], 0, -1), photometric="rgb", extrasamples=["unassalpha"])
    save("samples", np.moveaxis(value("u2", 1, 2)[:, 0], 0, -1), photometric="minisblack", planarconfig="contig")
    um = {"spacing": 2.5, "unit": "um"}
    save("imagej_stack", value("u2", 4)[0], imagej=True, resolution=(4, 4), metadata=um | {"axes": "ZYX"})
    save("imagej_hyperstack", np.moveaxis(value("u1", 3, 2), 0, 1), imagej=True, metadata=um | {"axes": "ZCYX"},
         resolution=(4, 4))
    save("imagej_time", value("u1", 3)[0], imagej=True, metadata={"axes": "TYX"})
    save("shaped_stack", value("u2", 4)[0], metadata={"axes": "ZYX"}, photometric="minisblack")
    save("shaped_channels", value("u2", 1, 4)[:, 0], metadata={"axes": "CYX"}, photometric="minisblack")
    ome = {"PhysicalSizeX": 0.25, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 0.25, "PhysicalSizeYUnit": "µm",
           "PhysicalSizeZ": 2.5, "PhysicalSizeZUnit": "µm"}
    names = {"Channel": {"Name": ["DAPI", "GFP"]}}
    save("ome_czyx", value("u2", 3, 2), ome=True, metadata=ome | names | {"axes": "CZYX"})
    save("ome_zcyx", np.moveaxis(value("u2", 3, 2), 0, 1), ome=True, metadata=ome | names | {"axes": "ZCYX"})
    save("ome_plane", plane("u2"), ome=True, metadata={"axes": "YX"} | ome)
    imagej_single_page(value("u2", 4)[0])
    for bits in (1, 2, 4):
        packed_tiff(bits, plane("u1", 2**bits))
        png(f"bits_{bits}", plane("u1", 2**bits), bits, 0)
    png("grey_8", plane("u1"), 8, 0)
    png("grey_16", plane("u2"), 16, 0)
    png("palette", plane("u1", 100), 8, 3)
    png("grey_alpha", np.moveaxis(value("u1", 1, 2)[:, 0], 0, -1), 8, 4)
    png("rgb", rgb, 8, 2)
    for dtype in "|u1 <u2 >u2 <u4 <i8 <f4 >f8 |b1".split():
        modulus = 2 if dtype == "|b1" else None
        np.save(OUT / f"plane_{dtype[1:]}{'_big' if dtype[0] == '>' else ''}.npy", plane(dtype, modulus))
    np.save(OUT / "stack.npy", value("u2", 3)[0])
    np.save(OUT / "fortran.npy", np.asfortranarray(plane("u2")))


def imagej_single_page(stack):
    """The way ImageJ writes stacks above 4 GiB: one page, raw data of all behind it."""
    n = len(stack)
    text = f"ImageJ=1.54f\nimages={n}\nslices={n}\n".encode() + b"\0"
    entries = [(256, NX), (257, NY), (258, 16), (262, 1), (270, text), (273, 8), (277, 1), (278, NY), (279, 2 * NX * NY)]
    tiff(OUT / "imagej_single_page.tif", stack.astype("<u2").tobytes(), entries)


def packed_tiff(bits, image):
    rows = [pack(bits, row) for row in image]
    data = b"".join(rows)
    entries = [(256, NX), (257, NY), (258, bits), (259, 1), (262, 1), (273, 8), (277, 1), (278, NY), (279, len(data))]
    tiff(OUT / f"bits_{bits}.tif", data, entries)


def tiff(path, data, entries):
    data += b"\0" * (len(data) % 2)
    at = 8 + len(data)
    behind, directory = b"", struct.pack("<H", len(entries))
    for tag, v in entries:
        if isinstance(v, bytes):
            directory += struct.pack("<HHII", tag, 2, len(v), at + 2 + 12 * len(entries) + 4 + len(behind))
            behind += v
        else:
            directory += struct.pack("<HHII", tag, 4, 1, v)
    path.write_bytes(struct.pack("<2sHI", b"II", 42, at) + data + directory + bytes(4) + behind)


def pack(bits, row):
    as_bits = ((row[:, None] >> np.arange(bits)[::-1]) & 1).astype("u1").ravel()
    return np.packbits(as_bits).tobytes()


def png(name, image, bits, color):
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = [pack(bits, row) if bits < 8 else row.astype(">u2" if bits == 16 else "u1").tobytes() for row in image]
    body = chunk(b"IHDR", struct.pack(">IIBBBBB", NX, NY, bits, color, 0, 0, 0))
    if color == 3:
        body += chunk(b"PLTE", bytes(range(256)) * 3)
    body += chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows), 9)) + chunk(b"IEND", b"")
    (OUT / f"{name}.png").write_bytes(b"\x89PNG\r\n\x1a\n" + body)


if __name__ == "__main__":
    sys.exit(main())
