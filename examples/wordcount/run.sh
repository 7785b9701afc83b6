#!/bin/sh
# Sends a novel over TCP and counts its words. RATE is in lines per second.
set -eu
cd "$(dirname "$0")/../.."
tidemill=bin/tidemill
[ -x "$tidemill" ] || { echo "$tidemill is missing: run make build first" >&2; exit 2; }

log=$(mktemp)
"$tidemill" gen words --from examples/wordcount/tom-sawyer.txt --rate "${RATE:-450}" --to tcp-listen://127.0.0.1:9999 2>"$log" &
sender=$!
trap 'kill "$sender" 2>/dev/null || true; rm -f "$log"' EXIT
trap 'exit 130' INT TERM

# The sender says when it listens.
until grep -q waiting "$log"; do
  kill -0 "$sender" 2>/dev/null || { cat "$log" >&2; exit 1; }
  sleep 0.1
done
"$tidemill" run examples/wordcount/wordcount.sql
