#!/bin/sh
# Makes users.acl from the passwords in the environment (only their SHA-256 is written) and starts the server with it.
set -eu
umask 077

here=$(dirname "$0")
acl=${REDIS_ACL_FILE:-/run/redis/users.acl}
stream=${REDIS_STREAM_NAME:-social_posts_stream}

fail() { echo "redis: $1" >&2 && exit 1; }

# Any other sign could make it a pattern of many keys.
case $stream in
*[!A-Za-z0-9_.:-]*) fail 'REDIS_STREAM_NAME has to be of letters, digits and _ . : -' ;;
esac

rules="s/@STREAM@/$stream/g;s/@CHANNEL@/sentiment_updates/g" missing=
for user in INGESTER WORKER API MONITOR ADMIN; do
    eval "password=\${REDIS_${user}_PASSWORD:-}"
    test -n "$password" || missing="$missing REDIS_${user}_PASSWORD"
    rules="$rules;s/@$user@/$(printf %s "$password" | sha256sum | cut -d ' ' -f 1)/"
    # The server needs no password to check one.
    unset "REDIS_${user}_PASSWORD"
done
test -z "$missing" || fail "set$missing"

sed -e '/^#/d' -e ':join' -e '/\\$/{' -e N -e 's/\\\n *//' -e bjoin -e '}' "$here/users.acl.template" |
    sed "$rules" >"$acl"

exec "${REDIS_SERVER:-redis-server}" "$here/redis.conf" --dir "${REDIS_DIR:-/data}" --aclfile "$acl" "$@"
