#!/bin/sh
# A verified base backup of the PostgreSQL in this container, beside its archived WAL. Restoring: docs/operations.md.
set -eu
umask 077
folder=${ARCHIVE:-/archive}
name=$(date -u +%Y%m%dT%H%M%SZ)

mkdir -p "$folder/backups"
PGPASSWORD=$POSTGRES_PASSWORD pg_basebackup --username="${POSTGRES_USER:-postgres}" --no-password \
    --pgdata="$folder/backups/.$name" --wal-method=stream --checkpoint=fast --manifest-checksums=SHA256
pg_verifybackup --quiet "$folder/backups/.$name"
mv "$folder/backups/.$name" "$folder/backups/$name"
echo "$folder/backups/$name"
