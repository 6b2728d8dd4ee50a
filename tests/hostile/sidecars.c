/*
 * Sidecars. No reader uses them yet, so the snapshot must answer as if nothing were there; and the parser must refuse each
 * (its unit test has every rule alone: here are those that cost something, and damage of real ones).
 */
#include "hostile/hostile.h"

#include "base/cursor.h"
#include "formats/sidecar.h"
#include "hostile/stopwatch.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

static unsigned parsed, refused;

static void try(bool must_fail, const void *data, size_t size, const char *rule, const char *name, size_t number) {
    struct shf_sidecar *sidecar = NULL;
    struct shf_error *error = NULL;
    struct stopwatch best = {1e9, 1e9};
    for (int i = 0; i < HOSTILE_TRIES && best.wall_ms > HOSTILE_MAX_MS; i++) {
        struct stopwatch watch = stopwatch_start(), took = {0};
        shf_status status = shf_sidecar_parse(data, size, &sidecar, &error);
        stopwatch_add(&took, &watch);
        stopwatch_keep_best(&best, &took);
        if (!status) {
            if (must_fail) fail_msg("sidecar, %s %zu (it breaks: %s): taken", name, number, rule);
            shf_sidecar_free(sidecar);
            if (i == 0) parsed++;
            continue;
        }
        if (strncmp(shf_error_message(error), "sidecar: ", 9) != 0) fail_msg("%s: %s", name, shf_error_message(error));
        shf_error_free(error);
        error = NULL;
        if (i == 0) refused++;
    }
    if (stopwatch_is_too_long(&best)) fail_msg("sidecar, %s %zu: %.0f ms", name, number, best.wall_ms);
    hostile_try(HOSTILE_SIDECAR, HOSTILE_ANSWERS, rule, data, size, "%s %zu", name, number);
}

/* A prefix that declares `declared` bytes, before a frame; returns the size of both. */
static size_t pack(uint8_t *out, size_t room, uint64_t declared, const void *body, size_t size) {
    memcpy(out, "SQPC\x08", 5);
    shf_store_u64le(out + 5, declared);
    shf_store_u32le(out + 13, 4096);
    out[17] = 0;
    ZSTD_CCtx *context = ZSTD_createCCtx();
    (void)ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
    size_t got = ZSTD_compress2(context, out + 18, room - 18, body, size);
    (void)ZSTD_freeCCtx(context);
    assert_false(ZSTD_isError(got));
    return 18 + got;
}

static void bombs(void) {
    static const char rule[] = "no more than 1,000 times its size, window of 2^27";
    size_t big = (size_t)256 << 20, room = (size_t)1 << 20;
    uint8_t *zeros = calloc(1, big), *out = malloc(room);
    for (size_t size = big; size >= 65536; size /= 8)
        try(true, out, pack(out, room, size, zeros, size), rule, "zeros", size);
    size_t size = pack(out, room, 4096, zeros, 4096);
    for (unsigned bits = 12; bits < 64; bits += 3) { /* prefix and frame header agree, and lie */
        shf_store_u64le(out + 5, UINT64_C(1) << bits);
        out[18 + 4] = 0xe4; /* single segment, checksum, content size of eight bytes */
        shf_store_u64le(out + 18 + 5, UINT64_C(1) << bits);
        try(true, out, size, rule, "declared bits", bits);
    }
    for (unsigned exponent = 10; exponent < 32; exponent++) { /* a window descriptor, no content size */
        shf_store_u64le(out + 5, 4096);
        out[18 + 4] = 0x04;
        out[18 + 5] = (uint8_t)(exponent << 3);
        try(true, out, size, rule, "window exponent", exponent + 10);
    }
    /* A real body with pages that have nothing but counts. */
    uint8_t counts[4096];
    memset(counts, 0xff, sizeof counts);
    try(true, out, pack(out, room, sizeof counts, counts, sizeof counts), "counts are within the body", "ones", 0);
    static const uint32_t claims[] = {1023, 1024, 65536, 0x3fffffff, 0x40000000, 0x7fffffff, 0xffffffff};
    for (size_t i = 0; i < sizeof claims / sizeof claims[0]; i++) {
        memset(counts, 0, sizeof counts);
        shf_store_u32le(counts, claims[i]);
        try(true, out, pack(out, room, sizeof counts, counts, sizeof counts), "counts are within the body", "pages",
            claims[i]);
    }
    free(zeros);
    free(out);
}

static void damage(void) {
    glob_t found;
    assert_int_equal(glob("tests/data/packages-1k/shards/*/*/*/shard.sidecar", 0, NULL, &found), 0);
    FILE *file = fopen(found.gl_pathv[0], "rb");
    globfree(&found);
    assert_non_null(file);
    uint8_t whole[65536], copy[65536];
    size_t size = fread(whole, 1, sizeof whole, file);
    (void)fclose(file);
    try(false, whole, size, "nothing", "a real one", 0);
    for (size_t cut = 0; cut < size; cut += size / 40) try(true, whole, cut, "it is whole", "cut at", cut);
    for (size_t at = 0; at < size; at += at < 80 ? 3 : size / 40) {
        memcpy(copy, whole, size);
        copy[at] ^= 0x81;
        /* The tag is any text. */
        try(at < 18 || at > 17 + 34, copy, size, "damage", "another byte", at);
    }
}

void hostile_sidecars(void **state) {
    (void)state;
    hostile_use_page_size(512);
    parsed = refused = 0;
    bombs();
    damage();
    print_message("sidecars: the parser refused %u and took %u\n", refused, parsed);
    hostile_count("sidecars");
}
