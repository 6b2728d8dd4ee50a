# The demo. Sourced.
# shellcheck shell=sh

# What is built stays there: something to try shardy on.
demo_folder=build/packages

# shell_line LINE: shows a line as one would type it, and runs it.
shell_line() {
    printf '\n  %s$%s %s%s%s\n' "$dim" "$plain" "$bold" "$1" "$plain"
    sh -c "PATH=\$1:\$PATH; $1" sh "$root/build" >"$scratch/shell-line.txt" || die "failed: $1"
    sed 's/^/  /' "$scratch/shell-line.txt"
}

# demo_build NAME URL: the first snapshot. NAME is files or s3.
demo_build() {
    printf '\n  %sBuild a snapshot of 3,000 packages, each with a value and an embedding%s\n' "$bold" "$plain"
    build/shf-demo build "$scratch/$1.numbers" build/shardy build samples/packages.jsonl --vectors samples/vectors.npy \
        --num-dbs 4 --run-id monday --output "$2" || die 'the demo failed'
    build/shf-demo "$1" "$2" "$scratch/cache-$1" "$scratch/$1.numbers" || die 'the demo failed'
}

# The packages of the next edition, and what is different in it.
demo_next_edition() {
    python3 demo/next_edition.py samples "$demo_folder/tuesday" >"$scratch/changes.txt" || die 'the demo failed'
    while IFS='	' read -r sign package text; do
        printf '    %s%s%s %-20s  %s\n' "$green" "$sign" "$plain" "$package" "$text"
    done <"$scratch/changes.txt"
}

# demo_update NAME URL: the next snapshot, published while a reader goes on.
demo_update() {
    build/shf-demo update "$2" "$scratch/cache-$1" "$scratch/$1.numbers" build/shardy build \
        "$demo_folder/tuesday/packages.jsonl" --vectors "$demo_folder/tuesday/vectors.npy" --num-dbs 4 --run-id tuesday \
        --output "$2" || die 'the demo failed'
    shell_line "shardy -u $2 history --output-format table | cut -c 1-49"
}

demo_files() {
    rm -rf "$demo_folder"
    mkdir -p "$demo_folder"
    demo_build files "$demo_folder/snapshot"
    printf '\n  %sThe same from the shell%s\n' "$bold" "$plain"
    shell_line "shardy -u $demo_folder/snapshot search --like blender --top-k 4 --output-format table"
    shell_line "shardy -u $demo_folder/snapshot --value-encoding utf8 get duf"
    printf '\n  %sThe next day: a second snapshot, published under a running reader%s\n' "$bold" "$plain"
    demo_next_edition
    demo_update files "$demo_folder/snapshot"
}

# demo_s3_start BUCKET: a server of the demo's own, which the environment leads to.
demo_s3_start() {
    # Settings of another S3 that may be in the environment are not meant for this one.
    unset S3_ACCESS_KEY_ID S3_SECRET_ACCESS_KEY S3_SESSION_TOKEN S3_REGION AWS_SESSION_TOKEN AWS_PROFILE \
        AWS_ENDPOINT_URL_S3 SLATEDB_S3_ENDPOINT_URL
    NO_PROXY=127.0.0.1 no_proxy=127.0.0.1
    export NO_PROXY no_proxy
    s3server_start || die 'the S3 server does not start'
    python3 tools/s3_server.py bucket "$1" || die 'the bucket can not be made'
    printf '\n'
    good "versitygw $s3server_version listens at $AWS_ENDPOINT_URL"
}

demo_s3() {
    demo_s3_start samples
    demo_build s3 s3://samples/packages
    printf '\n  %sThe second snapshot on S3%s\n' "$bold" "$plain"
    demo_update s3 s3://samples/packages
    build/shf-demo compare "$scratch/files.numbers" "$scratch/s3.numbers" || die 'the demo failed'
}

demo_end() {
    cat <<TEXT

  ${bold}Next${plain}
    ./dev test              every test
    build/shardy --help     the program; build/shardy -u $demo_folder/snapshot has something to look up
    examples/               five small C programs
    README.md               what it is, and how to use it

TEXT
}

# The commands keep out of the user's own cache and settings, and what they leave goes with the scratch folder.
demo_own_environment() {
    scratch_make
    XDG_CACHE_HOME=$scratch/xdg-cache TMPDIR=$scratch
    export XDG_CACHE_HOME TMPDIR
    unset SHARDY_CONFIG SHARDY_CREDENTIALS SHARDY_CURRENT
}

verb_demo() {
    # shellcheck disable=SC2086 # a list of names
    need $packages_build python3
    s3server_build_behind
    verb_build
    demo_own_environment
    demo_files
    s3server_wait || die 'without its server the S3 half cannot be shown; what is above works all the same'
    demo_s3
    demo_end
}
