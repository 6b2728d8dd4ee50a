# The demo. Sourced.
# shellcheck shell=sh

# shell_line COMMAND...: shows the command as one would type it, and runs it.
shell_line() {
    shown=''
    for word; do
        case $word in
            *[!A-Za-z0-9_/.:=-]*) shown="$shown '$word'" ;;
            *) shown="$shown $word" ;;
        esac
    done
    printf '\n  %s$%s%s%s%s\n' "$dim" "$plain" "$bold" "$shown" "$plain"
    case $1 in
        shardy)
            shift
            set -- build/shardy "$@"
            ;;
    esac
    "$@" >"$scratch/shell-line.txt" || die "failed:$shown"
    sed 's/^/  /' "$scratch/shell-line.txt"
}

demo_files() {
    build/shf-demo files "$root/samples/packages-1k" "$scratch/cache-files" "$scratch/files.numbers" || die 'the demo failed'
    printf '\n  %sThe same from the shell%s\n' "$bold" "$plain"
    shell_line shardy -u samples/packages-1k info --output-format table
    shell_line shardy -u samples/packages-1k search --like blender --top-k 4 --output-format table
    shell_line shardy -u samples/packages-1k --value-encoding utf8 get duf
}

demo_s3() {
    # Settings of another S3 that may be in the environment are not meant for this one.
    unset S3_ACCESS_KEY_ID S3_SECRET_ACCESS_KEY S3_SESSION_TOKEN S3_REGION AWS_SESSION_TOKEN AWS_PROFILE \
        AWS_ENDPOINT_URL_S3 SLATEDB_S3_ENDPOINT_URL
    NO_PROXY=127.0.0.1 no_proxy=127.0.0.1
    export NO_PROXY no_proxy
    s3server_start || die 'the S3 server does not start'
    uploaded=$(python3 tools/s3_put.py samples/packages-1k samples packages-1k) || die 'the upload failed'
    printf '\n'
    good "versitygw $s3server_version listens at $AWS_ENDPOINT_URL and has the sample ${dim}($uploaded)${plain}"
    build/shf-demo s3 s3://samples/packages-1k "$scratch/cache-s3" "$scratch/s3.numbers" "$scratch/files.numbers" ||
        die 'the demo failed'
    shell_line shardy -u s3://samples/packages-1k --local-root "$scratch/cache-s3" search --like redis --top-k 3 \
        --output-format table
}

demo_end() {
    cat <<TEXT

  ${bold}Next${plain}
    ./dev test              every test
    build/shardy --help     the program
    examples/               four small C programs
    README.md               what it is, and how to use it

TEXT
}

verb_demo() {
    # shellcheck disable=SC2086 # a list of names
    need $packages_build python3
    s3server_build_behind
    verb_build
    scratch_make
    # The shell lines keep out of the user's own cache and settings.
    XDG_CACHE_HOME=$scratch/xdg-cache
    export XDG_CACHE_HOME
    unset SHARDY_CONFIG SHARDY_CREDENTIALS SHARDY_CURRENT
    demo_files
    s3server_wait || die 'without its server the S3 half cannot be shown; what is above works all the same'
    demo_s3
    demo_end
}
