"""Small tables as pyarrow writes them: python tests/reference/make_tables.py

Made with pyarrow 26.0.1; the script prints the version it runs with.
"""
import os

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq

print("pyarrow", pa.__version__)
folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tables")
table = pa.table({
    "label": pa.array([1, 2, 3, 4], pa.uint32()),
    "area": pa.array([10.5, None, float("nan"), 1e300], pa.float64()),
    "mean": pa.array([1.5, 2.5, 3.5, 4.5], pa.float32()),
    "kind": pa.array(["round", "long", None, "round"]).dictionary_encode(),
    "good": pa.array([True, False, None, True]),
})
pq.write_table(table, f"{folder}/snappy.parquet", compression="snappy")
pq.write_table(table, f"{folder}/groups.parquet", compression="gzip", row_group_size=2, data_page_version="2.0")
pq.write_table(table.append_column("pixels", pa.array([[1, 2], [3], [], None])), f"{folder}/lists.parquet")
feather.write_feather(table, f"{folder}/lz4.feather", compression="lz4")
for name, writer, options in [("file.arrow", pa.ipc.new_file, None), ("stream.arrows", pa.ipc.new_stream, None),
                              ("zstd.arrows", pa.ipc.new_stream, pa.ipc.IpcWriteOptions(compression="zstd"))]:
    with writer(f"{folder}/{name}", table.schema, options=options) as sink:
        sink.write_table(table, max_chunksize=3)
# One value, 300 million times, in a few hundred kilobytes.
schema = pa.schema([("a", pa.int64())])
with pq.ParquetWriter(f"{folder}/bomb.parquet", schema, compression="zstd", data_page_size=1 << 30, write_batch_size=10_000_000, max_rows_per_page=50_000_000) as sink:
    chunk = pa.table({"a": pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), 50_000_000), pa.array([7])).cast(pa.int64())})
    for _ in range(6):
        sink.write_table(chunk, row_group_size=50_000_000)
