#!/bin/sh
# The server takes a key only if no group may read it, and we may read ours through a group: so it gets a copy in memory.
set -eu
umask 077

cp /tls/server/server.key /tmp/server.key
exec docker-entrypoint.sh "$@" -cssl=on -cssl_cert_file=/tls/server/server.crt -cssl_key_file=/tmp/server.key \
    -chba_file=/etc/undertone/pg_hba.conf
