#!/bin/sh
# The program shardy over s3://, with every way to give it credentials, and its exit codes where it may not or can not read.
# Usage: with_s3_server tests/data samples copied packages-1k -- sh test_shardy_s3.sh PATH_OF_SHARDY, from the root of the
# repository: the sample is at another place there than it was written to.
# shellcheck disable=SC2015
set -u
SHARDY=$1
FILES=tests/data/packages-1k
URL=s3://samples/copied/packages-1k
T=$(mktemp -d) || exit 1
trap 'rm -rf "$T"' EXIT
export HOME="$T/home" XDG_CACHE_HOME="$T/cache"
mkdir -p "$HOME"
unset SHARDY_CURRENT SHARDY_CONFIG SHARDY_CREDENTIALS NO_COLOR
ENDPOINT=$AWS_ENDPOINT_URL
KEY=$AWS_ACCESS_KEY_ID
SECRET=$AWS_SECRET_ACCESS_KEY
checks=0
failures=0

fail() {
    failures=$((failures + 1))
    echo "FAIL: $what: $1"
    sed 's/^/  out: /' "$T/out" | head -20
    sed 's/^/  err: /' "$T/err" | head -20
}

# run ARGUMENTS...: leaves $T/out, $T/err and $code. No secret may be in either.
run() {
    what="shardy $*"
    "$SHARDY" "$@" </dev/null >"$T/out" 2>"$T/err"
    code=$?
    checks=$((checks + 1))
    ! grep -qF -- "$SECRET" "$T/out" "$T/err" || fail "a secret was printed"
}

# ends CODE [TEXT]: with that, and with TEXT on standard error
ends() {
    checks=$((checks + 1))
    [ "$code" = "$1" ] || fail "ended with $code, not $1"
    [ $# -lt 2 ] || grep -qF -- "$2" "$T/err" || fail "does not say: $2"
}

# Times, and where the manifest lies, are made alike.
alike() {
    sed -E -e "s|file://$PWD/$FILES|URL|g" -e "s|$URL|URL|g" -e 's/"(latency|[a-z]+_ms)": ?[0-9.e-]+/"\1":T/g' \
        -e 's/(manifest_age_seconds"?[=:] ?)[0-9.e+]+/\1T/' "$1"
}

# same ARGUMENTS...: over s3:// as over the files, to the byte
same() {
    run -u "$FILES" "$@"
    wanted=$code
    alike "$T/out" >"$T/wanted"
    run -u "$URL" "$@"
    alike "$T/out" >"$T/got"
    ends "$wanted"
    checks=$((checks + 1))
    [ -s "$T/got" ] && cmp -s "$T/wanted" "$T/got" || fail "answers differ from those over the files"
}

# everywhere CODE CODE_OF_HEALTH TEXT: every reading command, at $place
everywhere() {
    for command in "get duf" "multiget duf vim" "search --like redis" info shards "route duf" history; do
        # shellcheck disable=SC2086 # a command and its arguments
        run -u "$place" $command --s3-option max_attempts=2 -vv
        ends "$1" "$3"
    done
    run -u "$place" health --s3-option max_attempts=2
    ends "$2" "$3"
}

# ---- credentials in the environment ----
same get duf --value-encoding utf8
same get no-such-package
same multiget duf vim git no-such-package 0ad --output-format table
same search --queries tests/data/packages-1k-queries.jsonl
same search --like redis --top-k 3 --output-format json
same info
same shards
same route duf
same history
same health --staleness-threshold 0.001
same --offset 0 get vim
same get duf --sqlite-mode download
checks=$((checks + 1))
[ "$(find "$XDG_CACHE_HOME/shardyfusion" -name '*.shard' | wc -l)" = 2 ] || fail "not two shards in the cache"
checks=$((checks + 1))
[ -z "$(find "$XDG_CACHE_HOME/shardyfusion" -name 'tmp-*')" ] || fail "temporaries are left in the cache"

# ---- wrong and missing ones ----
place=$URL
right=$SECRET
SECRET=not-the-secret
AWS_SECRET_ACCESS_KEY=$SECRET
everywhere 1 2 'check the secret access key'
SECRET=$right
AWS_SECRET_ACCESS_KEY=$SECRET
AWS_ACCESS_KEY_ID=NOBODY
everywhere 1 2 'the server does not know the access key id'
AWS_ACCESS_KEY_ID=$KEY
place=s3://no-such-bucket/x
everywhere 1 2 'there is no such bucket'
place=s3://samples/nothing/there
run -u "$place" get duf
ends 1 'CURRENT pointer not found'
ends 1 's3://samples/nothing/there/_CURRENT'
run -u "$place" health
ends 2 'CURRENT pointer not found'
run -u "$place" history
ends 0
unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
run -u "$URL" get duf
ends 1 'no credentials'
run -u "$URL" get duf --s3-option anonymous=true
ends 1 'HTTP 403'

# ---- the AWS files ----
printf '[default]\naws_access_key_id = x\naws_secret_access_key = x\n[lab]\naws_access_key_id = %s\naws_secret_access_key = %s\n' \
    "$KEY" "$SECRET" >"$T/aws"
export AWS_SHARED_CREDENTIALS_FILE="$T/aws"
run -u "$URL" get duf
ends 1 'HTTP '
export AWS_PROFILE=lab
same get duf
export AWS_PROFILE=nobody
run -u "$URL" get duf
ends 1 nobody
unset AWS_PROFILE AWS_SHARED_CREDENTIALS_FILE

# ---- credentials.toml, which says where too ----
unset AWS_ENDPOINT_URL AWS_REGION
mkdir -p "$HOME/.config/shardy"
file=$HOME/.config/shardy/credentials.toml
(umask 077 && printf '[default]\nendpoint_url = "%s"\naccess_key_id = "%s"\nsecret_access_key = "wrong"\n[lab]\nendpoint_url = "%s"\nregion = "us-east-1"\naccess_key_id = "%s"\nsecret_access_key = "%s"\naddressing_style = "path"\n' \
    "$ENDPOINT" "$KEY" "$ENDPOINT" "$KEY" "$SECRET" >"$file")
run -u "$URL" get duf
ends 1 'SignatureDoesNotMatch'
printf '[reader]\ncurrent_url = "%s/_CURRENT"\ncredentials_profile = "lab"\n' "$URL" >"$HOME/.config/shardy/reader.toml"
run get duf --value-encoding utf8 --output-format text -vv
ends 0
checks=$((checks + 1))
grep -q '^duf={"version": "0.8.1-1+b6"' "$T/out" || fail "another value"
run health
ends 0
run search --like redis --top-k 1 --output-format text
ends 0
run multiget duf vim --output-format text
ends 0
run history --output-format text
ends 0

# ---- nobody listens ----
place=$URL
rm -r "$HOME/.config"
export AWS_ENDPOINT_URL=http://127.0.0.1:9 AWS_ACCESS_KEY_ID="$KEY" AWS_SECRET_ACCESS_KEY="$SECRET"
run -u "$URL" get duf --s3-option max_attempts=2
ends 1 'gave up after 2 attempts'
run -u "$URL" health --s3-option max_attempts=2
ends 2 'http://127.0.0.1:9'
run -u "$URL" get duf --timeout 0.2
ends 1 'no time is left for another attempt'

echo "$checks checks, $failures failures"
[ "$failures" = 0 ]
