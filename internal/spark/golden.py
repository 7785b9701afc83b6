"""Asks Spark for the answers to the cases below functions/ and queries/, and writes them into the same files.

README.md describes the files. Called by `make spark-golden`, with the names of the areas to do, or all.
"""

import datetime
import decimal
import json
import logging
import os
import pathlib
import re
import struct
import sys
import time

os.environ["TZ"] = "UTC"  # of the datetimes that PySpark makes
time.tzset()

from pyspark.errors import PySparkException  # noqa: E402
from pyspark.sql import SparkSession, types  # noqa: E402

HERE = pathlib.Path(__file__).parent
ANSWER = " ==> "


def start():
    """Returns a session with the settings that the cases assume."""
    spark = (
        SparkSession.builder.master("local[2]")
        .config("spark.sql.ansi.enabled", True)
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.shuffle.partitions", 1)
        .config("spark.ui.enabled", False)
        .config("spark.ui.showConsoleProgress", False)
        .config("spark.driver.extraJavaOptions", "-Duser.timezone=UTC -Dlog4j2.level=OFF")
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("OFF")
    logging.disable()
    return spark


def type_name(t):
    """The type as SQL has it, with what tidemill calls TEXT."""
    if isinstance(t, types.StructType):
        return "STRUCT<" + ", ".join(f"{f.name}: {type_name(f.dataType)}" for f in t.fields) + ">"
    if isinstance(t, types.ArrayType):
        return f"ARRAY<{type_name(t.elementType)}>"
    if isinstance(t, types.MapType):
        return f"MAP<{type_name(t.keyType)}, {type_name(t.valueType)}>"
    name = t.simpleString().upper()
    return {"STRING": "TEXT", "VOID": "NULL"}.get(name, name)


def shortest_float(v):
    """The shortest text that reads back as the same 32 bits, written as repr writes a double."""
    for digits in range(1, 18):
        text = f"{v:.{digits}g}"
        try:
            if struct.pack("f", float(text)) == struct.pack("f", v):
                return repr(float(text))
        except OverflowError:
            continue
    return repr(v)


def value(v, t):
    """A value in the form that README.md describes; value_test.go has the same for tidemill."""
    if v is None:
        return "NULL"
    if isinstance(t, types.StructType):
        return "{" + ", ".join(f"{f.name}: {value(x, f.dataType)}" for f, x in zip(t.fields, v)) + "}"
    if isinstance(t, types.ArrayType):
        return "[" + ", ".join(value(x, t.elementType) for x in v) + "]"
    if isinstance(t, types.MapType):
        return "{" + ", ".join(f"{value(k, t.keyType)}: {value(x, t.valueType)}" for k, x in v.items()) + "}"
    if isinstance(v, bool):
        return "true" if v else "false"
    if isinstance(v, float):
        if v != v:
            return "NaN"
        if v in (float("inf"), float("-inf")):
            return "Infinity" if v > 0 else "-Infinity"
        return shortest_float(v) if isinstance(t, types.FloatType) else repr(v)
    if isinstance(v, decimal.Decimal):
        return format(v, "f")
    if isinstance(v, (bytes, bytearray)):
        return "X'" + bytes(v).hex().upper() + "'"
    if isinstance(v, datetime.datetime):
        text = v.strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")
        if v.microsecond:
            text += f".{v.microsecond:06d}".rstrip("0")
        return text + ("" if isinstance(t, types.TimestampNTZType) else "Z")
    if isinstance(v, datetime.date):
        return v.strftime("%Y-%m-%d").rjust(10, "0")
    if isinstance(v, int):
        return str(v)
    return json.dumps(str(v), ensure_ascii=False)


def has_interval(t):
    """Says whether values of t can't be collected, or lose their unit: intervals anywhere."""
    if isinstance(t, types.StructType):
        return any(has_interval(f.dataType) for f in t.fields)
    if isinstance(t, types.ArrayType):
        return has_interval(t.elementType)
    if isinstance(t, types.MapType):
        return has_interval(t.keyType) or has_interval(t.valueType)
    return "interval" in t.simpleString()


def error(e):
    """The class of an error: that of the error that caused it, if that says more."""
    name = e.getCondition() if isinstance(e, PySparkException) else None
    return name or type(e).__name__


def evaluate(spark, expression):
    """Type and value of an expression, or ERROR and its class."""
    try:
        frame = spark.sql(f"SELECT {expression} AS v")
        t = frame.schema[0].dataType
        if has_interval(t):
            return f"{type_name(t)} {json.dumps(spark.sql(f'SELECT CAST({expression} AS STRING) AS v').collect()[0][0])}"
        return f"{type_name(t)} {value(frame.collect()[0][0], t)}"
    except (ValueError, OverflowError) as e:
        raise SystemExit(f"{expression}: Python has no such value, CAST it to STRING: {e}") from e
    except Exception as e:  # whatever Spark says is the answer
        return "ERROR " + error(e)


def is_ordered(text):
    """Says whether there is an ORDER BY outside of brackets."""
    while (outer := re.sub(r"\([^()]*\)", "", text)) != text:
        text = outer
    return "ORDER BY" in text.upper()


def query(spark, text):
    """The lines of a query's answer: a header, then the rows, sorted unless the query says how."""
    try:
        frame = spark.sql(text)
        fields = frame.schema.fields
        header = ", ".join(f"{f.name} {type_name(f.dataType)}" for f in fields)
        rows = [" | ".join(value(v, f.dataType) for f, v in zip(fields, row)) for row in frame.collect()]
        if not is_ordered(text):
            rows.sort()
        return [header, *rows]
    except Exception as e:
        return ["ERROR " + error(e)]


def do_functions(spark, path):
    lines = path.read_text().splitlines()
    changed = []
    for i, line in enumerate(lines):
        if not line.strip() or line.startswith("#"):
            continue
        case = line.split(ANSWER)[0].rstrip()
        lines[i] = case + ANSWER + evaluate(spark, case)
        if lines[i] != line:
            changed.append((line, lines[i]))
    return lines, changed


def do_queries(spark, path):
    out, changed = [], []
    for block in re.split(r"\n\n+", path.read_text().strip("\n")):
        case, _, was = block.partition("\n==>\n")
        case = case.removesuffix("\n==>")
        statement = "\n".join(line for line in case.splitlines() if not line.startswith("#"))
        if not statement:
            out += [case, ""]
            continue
        now = "\n".join(query(spark, statement.split("\n--- spark\n")[-1]))
        if now != was:
            changed.append((block, case + "\n==>\n" + now))
        out += [case, "==>", now, ""]
    return out[:-1], changed


def tables(spark):
    for line in (HERE / "data" / "tables.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            name, columns = (part.strip() for part in line.split(":", 1))
            columns = re.sub(r",?\s*WATERMARK FOR .*", "", columns)
            frame = spark.read.schema(columns.replace("TEXT", "STRING")).json(str(HERE / "data" / f"{name}.json"))
            frame.createOrReplaceTempView(name)


def main(areas):
    spark = start()
    tables(spark)
    count = 0
    for folder, do in (("functions", do_functions), ("queries", do_queries)):
        for path in sorted((HERE / folder).glob("*.txt")):
            if areas and path.stem not in areas:
                continue
            lines, changed = do(spark, path)
            for was, now in changed:
                print(f"{folder}/{path.name}:\n- {was}\n+ {now}")
            count += len(changed)
            path.write_text("\n".join(lines) + "\n")
    print(f"{count} answers changed")


if __name__ == "__main__":
    main(sys.argv[1:])
