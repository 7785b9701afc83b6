"""Writes the files of this directory, by implementations other than the one that reads them: pip install pyarrow."""

import datetime

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.ipc as ipc

UTC = datetime.timezone.utc
at = datetime.datetime(2026, 3, 1, 9, 0, 0, 170000, UTC)

batch = pa.record_batch(
    {
        "id": pa.array([1, 2, 3], pa.int64()),
        "small": pa.array([-1, None, 127], pa.int8()),
        "name": pa.array(["é", "", None], pa.string()),
        "long": pa.array(["a", None, "c"], pa.large_string()),
        "word": pa.array(["x", "y", "x"]).dictionary_encode(),
        "x": pa.array([0.5, None, float("nan")], pa.float64()),
        "f": pa.array([0.5, 1.5, None], pa.float32()),
        "ok": pa.array([True, None, False]),
        "at": pa.array([at, None, at], pa.timestamp("us", "UTC")),
        "ms": pa.array([at, None, at], pa.timestamp("ms", "UTC")),
        "ns": pa.array([at, None, at], pa.timestamp("ns")),
    }
)


def write(name, new, batches, **options):
    with pa.OSFile(name, "wb") as sink, new(sink, batches[0].schema, options=ipc.IpcWriteOptions(**options)) as w:
        for b in batches:
            w.write_batch(b)


write("file.arrow", ipc.new_file, [batch, batch.slice(1, 2)])
write("zstd.arrow", ipc.new_file, [batch, batch.slice(1, 2)], compression="zstd")
write("stream.arrows", ipc.new_stream, [batch, batch.slice(1, 2)], compression="lz4")
feather.write_feather(pa.table(batch), "lz4.feather", compression="lz4")

# Dictionaries that grow, and that are replaced by others.
words = [pa.DictionaryArray.from_arrays(pa.array(i, pa.int8()), d) for i, d in [([0, 1], ["a", "b"]), ([2, 0], ["a", "b", "c"]), ([0], ["z"])]]
grown = [pa.record_batch({"word": w}) for w in words]
write("deltas.arrows", ipc.new_stream, grown, emit_dictionary_deltas=True)
write("empty.arrow", ipc.new_file, [batch.slice(0, 0)])
write("unread.arrow", ipc.new_file, [pa.record_batch({"id": pa.array([1]), "u": pa.array([1], pa.uint64())})])

# Parquet, beside its reader: row groups of 2 rows, with statistics.
import pyarrow.parquet as pq

t = pa.table(
    {
        "id": pa.array(range(1, 8), pa.int64()),
        "small": pa.array([-1, None, 3, 4, 5, 6, 7], pa.int8()),
        "name": pa.array(["a", "é", None, "d", "e", "f", "g"]),
        "x": pa.array([0.5, None, 2.5, 3.5, 4.5, 5.5, float("nan")]),
        "ok": pa.array([True, None, False, True, True, True, True]),
        "at": pa.array([datetime.datetime(2026, 3, 1, 9, i, tzinfo=UTC) for i in range(7)], pa.timestamp("us", "UTC")),
        "ms": pa.array([datetime.datetime(2026, 3, 1, 9, i, tzinfo=UTC) for i in range(7)], pa.timestamp("ms", "UTC")),
        "day": pa.array([datetime.date(2026, 3, 1 + i) for i in range(7)]),
        "tags": pa.array([["a", "b"], [], None, ["c"], ["d"], ["e"], [None]], pa.list_(pa.string())),
        "u": pa.array(range(7), pa.uint64()),
    }
)
here = "../../parquet/testdata/"
pq.write_table(t, here + "groups.parquet", row_group_size=2)
for codec in ["none", "gzip", "zstd", "brotli", "lz4"]:
    pq.write_table(t.drop(["u"]), here + codec + ".parquet", compression=codec, data_page_version="2.0", use_dictionary=codec == "zstd")
pq.write_table(t.slice(0, 0), here + "empty.parquet")
pq.write_table(t, here + "int96.parquet", use_deprecated_int96_timestamps=True)

# Avro.
import decimal

import fastavro

schema = {
    "type": "record", "name": "row", "namespace": "x", "fields": [
        {"name": "id", "type": "long"},
        {"name": "n", "type": ["null", "int"]},
        {"name": "name", "type": ["string", "null"]},
        {"name": "x", "type": "double"},
        {"name": "f", "type": "float"},
        {"name": "ok", "type": ["null", "boolean"]},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "ms", "type": ["null", {"type": "long", "logicalType": "timestamp-millis"}]},
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2}},
        {"name": "suit", "type": {"type": "enum", "name": "suit", "symbols": ["HEARTS", "SPADES"]}},
        {"name": "raw", "type": "bytes"},
        {"name": "tags", "type": {"type": "array", "items": ["null", "string"]}},
        {"name": "at2", "type": {"type": "record", "name": "place", "fields": [{"name": "a", "type": "long"}, {"name": "b", "type": "suit"}]}},
        {"name": "m", "type": {"type": "map", "values": "x.place"}},
        {"name": "u", "type": ["string", "long"]},
        {"name": "tree", "type": ["null", {"type": "record", "name": "node", "fields": [{"name": "next", "type": ["null", "node"]}]}]},
    ],
}
rows = [
    {
        "id": i, "n": None if i % 3 == 0 else -i, "name": None if i % 4 == 0 else "é" * i, "x": i / 2, "f": 0.5, "ok": None if i == 2 else i % 2 == 0,
        "at": at + datetime.timedelta(microseconds=i), "ms": None if i == 1 else at, "day": datetime.date(2026, 3, 1 + i), "price": decimal.Decimal(i * -12345) / 100,
        "suit": ["HEARTS", "SPADES"][i % 2], "raw": bytes([0xFF, i]), "tags": ["a", None][: i % 3], "at2": {"a": i, "b": "SPADES"},
        "m": {"k": {"a": 1, "b": "HEARTS"}}, "u": i if i % 2 else "x", "tree": {"next": {"next": None}} if i == 3 else None,
    }
    for i in range(7)
]
for codec in ["null", "deflate", "bzip2", "snappy", "zstandard"]:
    with open(codec + ".avro", "wb") as f:
        fastavro.writer(f, schema, rows, codec=codec, sync_interval=200 if codec == "deflate" else 16000, sync_marker=b"0123456789abcdef")

# MessagePack.
import msgpack

with open("rows.msgpack", "wb") as f:
    for row in [
        {"id": 1, "name": "é", "x": 0.5, "ok": True, "at": at, "more": {"a": [1, 2, {"b": b"raw"}]}},
        {"id": -2, "x": 3, "name": None, "ok": False, "unknown": [1.5] * 20},
        {"id": 2**63 - 1, "ok": None, "at": datetime.datetime(1969, 12, 31, 23, 59, 59, 500000, UTC)},
        {"ID": -(2**63), "name": "x" * 300, "x": float("inf")},
        [1, 2],
        {"id": 2**63},
        {"id": "text"},
        {"id": 7, "at": "2026-03-01T09:00:00Z"},
    ]:
        f.write(msgpack.packb(row, datetime=True))
