#!/bin/sh
# PostgreSQL's archive_command: postgres-archive.sh %p %f FOLDER
# The segment arrives whole, synced, and never replaces another; the same one again is a success, as after a crash.
# The same as app/embedded/archiving.py does for the embedded PostgreSQL.
set -u
segment=$1 folder=$3
old=$folder/$2.gz new=$folder/.$2.$$

if test -e "$old"; then
    gzip -dc "$old" | cmp -s - "$segment" || exit 1
else
    gzip -1 <"$segment" >"$new" && sync "$new" && ln "$new" "$old" && rm "$new" || { rm -f "$new"; exit 1; }
fi
sync "$old" "$folder" || exit 1
