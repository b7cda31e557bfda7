"""Writes tests/reference/zarr: small stores of Zarr 2 and 3, OME-Zarr 0.4 and 0.5 and bare arrays.

Made with python 3.11, numpy 2.4.6, zarr 3.1.6, numcodecs 0.16.6 and ome-zarr 0.18.0.
Images hold `value(c, z, y, x)` of make_image.py, so that the test needs no second copy; labels hold value % 100.
"""

import pathlib
import shutil

import numcodecs
import numpy as np
import ome_zarr.format
import ome_zarr.writer
import zarr
from zarr.codecs import BloscCodec, BytesCodec, GzipCodec, TransposeCodec, ZstdCodec

from make_image import value

OUT = pathlib.Path(__file__).parent / "zarr"
SCALE = {"c": 1.0, "z": 2.5, "y": 0.25, "x": 0.25}


def ome(name, image, axes, fmt, labels=(), **options):
    """An image with a second resolution, channel names and labels, as ome-zarr-py writes it."""
    root = zarr.open_group(OUT / name, mode="w", zarr_format=fmt.zarr_format)

    def described(axes):
        spatial = [a for a in axes if a != "c"]
        units = {a: "micrometer" for a in spatial}
        return {"axes": list(axes), "scale": {a: SCALE[a] for a in spatial}, "axes_units": units, "fmt": fmt}

    def channel(label):
        return {"label": label, "color": "FFFFFF", "window": {"min": 0, "max": 9, "start": 0, "end": 9}}

    omero = {"omero": {"channels": [channel("DAPI"), channel("GFP")]}} if "c" in axes else {}
    ome_zarr.writer.write_image(image, root, [2], storage_options=options, **omero, **described(axes))
    for label in labels:
        plain = image[0] if "c" in axes else image
        storage = {"chunks": plain.shape}
        ome_zarr.writer.write_labels(
            plain % 100, root, label, scaler=None, scale_factors=[2], storage_options=storage, **described(axes.replace("c", "")),
        )


def bare(name, array, **options):
    stored = zarr.create_array(OUT / f"{name}.zarr", shape=array.shape, dtype=array.dtype, overwrite=True, **options)
    stored[...] = array


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir()
    v04, v05 = ome_zarr.format.FormatV04(), ome_zarr.format.FormatV05()
    stack = value("u2", 3, 2)
    ome("ome_04.ome.zarr", stack, "czyx", v04, ["cells"], chunks=(1, 2, 10, 27))
    ome("ome_05.ome.zarr", stack, "czyx", v05, ["cells"], chunks=(1, 1, 10, 9), shards=(1, 3, 20, 27))
    ome("two_labels.ome.zarr", stack[0, 0], "yx", v05, ["cells", "nuclei"], chunks=(19, 27))
    for kind in "u1 u2 u4 u8 i1 i2 i4 i8 f2 f4 f8".split():
        plane = value(kind, modulus=100)[0, 0]
        bare(f"type_{kind}_v2", plane, zarr_format=2, chunks=(19, 27))
        bare(f"type_{kind}_v3", plane, zarr_format=3, chunks=(19, 27))
    bare("bool", value("u1", modulus=2)[0, 0].astype(bool), zarr_format=3, chunks=(19, 27))
    for codec in [numcodecs.GZip(), numcodecs.Zlib(), numcodecs.Zstd(), numcodecs.Blosc("lz4"), numcodecs.Blosc("zstd", shuffle=2)]:
        name = "_".join(str(v) for v in codec.get_config().values() if isinstance(v, str))
        bare(f"v2_{name}", value("u2")[0, 0], zarr_format=2, chunks=(10, 14), compressors=codec)
    bare("v2_blosc_bits", value("u4")[0, 0], zarr_format=2, chunks=(10, 14), compressors=numcodecs.Blosc("lz4hc", shuffle=2))
    bare("v2_big_endian", value(">u2")[0, 0], zarr_format=2, chunks=(10, 14), compressors=None)
    bare("v2_fortran", value("u2", 3)[0], zarr_format=2, chunks=(2, 10, 14), order="F", compressors=None)
    bare("v2_nested", value("u2")[0, 0], zarr_format=2, chunks=(10, 14), chunk_key_encoding={"name": "v2", "separator": "/"})
    for name, packing in [("gzip", GzipCodec()), ("zstd", ZstdCodec(checksum=True)), ("blosc", BloscCodec(cname="zstd"))]:
        bare(f"v3_{name}", value("u2")[0, 0], zarr_format=3, chunks=(10, 14), compressors=packing)
    bare("v3_big_endian", value("u2")[0, 0], zarr_format=3, chunks=(10, 14), serializer=BytesCodec(endian="big"))
    bare("v3_transposed", value("u2", 3)[0], zarr_format=3, chunks=(2, 10, 14), filters=TransposeCodec(order=(2, 0, 1)))
    bare("v3_sharded", value("u2", 3)[0], zarr_format=3, chunks=(1, 5, 7), shards=(3, 20, 28))
    bare("v3_named", value("u2", 1, 2)[:, 0], zarr_format=3, chunks=(1, 19, 27), dimension_names=("c", "y", "x"))
    bare("time", value("u2", 1, 2)[:, 0], zarr_format=3, chunks=(1, 19, 27), dimension_names=("t", "y", "x"))
    bare("five", value("u2", 3, 2)[None], zarr_format=2, chunks=(1, 1, 3, 19, 27))
    # Chunks that were never written hold the fill value.
    zarr.create_array(OUT / "empty.zarr", shape=(19, 27), chunks=(10, 10), dtype="u2", fill_value=7, zarr_format=3)


if __name__ == "__main__":
    main()
