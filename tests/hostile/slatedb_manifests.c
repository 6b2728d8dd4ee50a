/* Manifests. No checksum protects them: other bytes may well be another sound manifest. */
#include "hostile/slatedb.h"

#include <stdlib.h>
#include <string.h>

#define TOO_MANY 70000u /* places of SSTs */
#define MANY 60000u

static const uint8_t *sound(size_t *size) {
    const uint8_t *bytes = composite_object(SLATEDB_MANIFEST, size);
    assert_non_null(bytes);
    return bytes;
}

static void store_le(uint8_t *at, uint32_t value) {
    for (unsigned i = 0; i < 4; i++) at[i] = (uint8_t)(value >> (8 * i));
}

static void cuts(void) {
    size_t size;
    const uint8_t *bytes = sound(&size);
    for (size_t cut = 0; cut < size; cut += cut < 64 ? 1 : 13) {
        composite_try_one(COMPOSITE_KEYS, cut < 64 ? COMPOSITE_FAILS : COMPOSITE_ANYTHING, NULL, SLATEDB_MANIFEST,
                          bytes, cut, "manifest: cut at %zu", cut);
    }
}

static void versions(void) {
    static const unsigned versions[] = {0, 2, 3, 256, 512, 65535};
    size_t size;
    const uint8_t *bytes = sound(&size);
    uint8_t *copy = malloc(size);
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
        memcpy(copy, bytes, size);
        copy[0] = (uint8_t)(versions[i] >> 8);
        copy[1] = (uint8_t)versions[i];
        /* what 1 says read as 2 is another manifest */
        composite_try_one(COMPOSITE_KEYS, versions[i] == 2 ? COMPOSITE_ANYTHING : COMPOSITE_FAILS,
                          versions[i] == 2 ? NULL : "version", SLATEDB_MANIFEST, copy, size, "manifest: version %u",
                          versions[i]);
    }
    free(copy);
}

static void bytes_turned(void) {
    size_t size;
    const uint8_t *bytes = sound(&size);
    uint8_t *copy = malloc(size);
    memcpy(copy, bytes, size);
    for (size_t at = 0; at < size; at++) {
        copy[at] = (uint8_t)(bytes[at] ^ (at % 3 == 0 ? 0xff : at % 3 == 1 ? 1 : 0x80));
        composite_try_one(COMPOSITE_KEYS, COMPOSITE_ANYTHING, NULL, SLATEDB_MANIFEST, copy, size,
                          "manifest: another byte at %zu", at);
        copy[at] = bytes[at];
    }
    free(copy);
}

/* Every offset, length and count is hit by one of these; offsets then point to themselves, back, or far away. */
static void words(void) {
    static const uint32_t values[] = {0, 4, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffffc, 0x20000000};
    size_t size;
    const uint8_t *bytes = sound(&size);
    uint8_t *copy = malloc(size);
    memcpy(copy, bytes, size);
    for (size_t at = 2; at + 4 <= size; at += 2) {
        store_le(copy + at, values[at / 2 % (sizeof values / sizeof values[0])]);
        composite_try_one(COMPOSITE_KEYS, COMPOSITE_ANYTHING, NULL, SLATEDB_MANIFEST, copy, size,
                          "manifest: another word at %zu", at);
        store_le(copy + at, (uint32_t)(size - at));
        composite_try_one(COMPOSITE_KEYS, COMPOSITE_ANYTHING, NULL, SLATEDB_MANIFEST, copy, size,
                          "manifest: the word at %zu leads to the end", at);
        memcpy(copy + at, bytes + at, 4);
    }
    free(copy);
}

void slatedb_manifests(void **state) {
    (void)state;
    cuts();
    versions();
    bytes_turned();
    words();
    composite_count("bytes of SlateDB manifests");
}

/* ---- what must not be said ---- */

static void both_versions(const struct made_manifest *manifest, enum composite_wish wish, const char *text,
                          const char *name) {
    struct made_manifest other = *manifest;
    other.version = 2;
    slatedb_try_manifest(manifest, wish, text, name);
    if (!manifest->has_wal_uri) slatedb_try_manifest(&other, wish, text, name);
}

static void states(void) {
    struct made_manifest manifest = slatedb_sound.manifest;
    both_versions(&manifest, COMPOSITE_ANSWERS, NULL, "nothing wrong");
    manifest.uninitialized = true;
    both_versions(&manifest, COMPOSITE_FAILS, "initialized", "uninitialized");
    manifest = slatedb_sound.manifest;
    manifest.has_wal_uri = true;
    both_versions(&manifest, COMPOSITE_FAILS, "WAL", "the WAL in another store");
    manifest = slatedb_sound.manifest;
    manifest.external = 12;
    both_versions(&manifest, COMPOSITE_FAILS, "other", "an SST of another database");
    manifest = slatedb_sound.manifest;
    manifest.version = 2;
    manifest.forgotten = 12;
    slatedb_try_manifest(&manifest, COMPOSITE_FAILS, NULL, "a view of an SST that is not listed");
}

static void replays(void) {
    static const uint64_t all[] = {UINT64_MAX, UINT64_MAX - 1, INT64_MAX, 8, 7, 5, 0, 1};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        struct made_manifest manifest = slatedb_sound.manifest;
        manifest.replay_after = all[i];
        /* Behind the last object: other rows, but no contradiction. Before the first: objects are missing. */
        bool is_gap = all[i] < 3, is_top = all[i] == UINT64_MAX;
        both_versions(&manifest, is_gap || is_top ? COMPOSITE_FAILS : COMPOSITE_ANYTHING, is_gap ? "missing" : NULL,
                      "another end of what is in SSTs");
        manifest = slatedb_sound.manifest;
        manifest.last_l0_seq = all[i];
        both_versions(&manifest, COMPOSITE_ANYTHING, NULL, "another last sequence number");
    }
}

static void missing_ssts(void) {
    struct made_sst l0[2] = {slatedb_sound.l0[0], slatedb_sound.l0[1]};
    struct made_manifest manifest = slatedb_sound.manifest;
    manifest.top.l0 = l0;
    l0[1].ulid = 77;
    both_versions(&manifest, COMPOSITE_FAILS, "compacted/", "an SST that is not there");
    l0[1] = l0[0]; /* some keys are then nowhere */
    both_versions(&manifest, COMPOSITE_ANYTHING, NULL, "an SST twice");
    l0[1] = slatedb_sound.l0[1];
    l0[1].info.codec = 5;
    both_versions(&manifest, COMPOSITE_FAILS, "codec", "codec 5");
    l0[1].info.codec = 4;
    both_versions(&manifest, COMPOSITE_FAILS, "zstd", "another codec");
    l0[1] = slatedb_sound.l0[1];
    l0[1].info.filter_format = 2;
    both_versions(&manifest, COMPOSITE_ANSWERS, NULL, "a filter of a newer kind, which only saves reads");
    l0[1] = slatedb_sound.l0[1];
    l0[1].info.version = 3;
    both_versions(&manifest, COMPOSITE_FAILS, "version", "an SST of version 3");
    l0[1].info.version = 1;
    both_versions(&manifest, COMPOSITE_FAILS, "block", "an SST of another version");
}

static void places(void) {
    static const uint64_t all[] = {
        0, 1, 3, 4, 1000, 1u << 28, UINT32_MAX, (uint64_t)1 << 40, INT64_MAX, UINT64_MAX - 3, UINT64_MAX};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        struct made_sst l0[2] = {slatedb_sound.l0[0], slatedb_sound.l0[1]};
        struct made_manifest manifest = slatedb_sound.manifest;
        manifest.top.l0 = l0;
        l0[1].info.index_offset = all[i];
        both_versions(&manifest, COMPOSITE_FAILS, NULL, "another place of an index");
        l0[1].info.index_offset = slatedb_sound.l0[1].info.index_offset;
        l0[1].info.index_size = all[i];
        both_versions(&manifest, COMPOSITE_FAILS, NULL, "another size of an index");
        l0[1].info.index_size = slatedb_sound.l0[1].info.index_size;
        l0[1].info.filter_offset = all[i];
        both_versions(&manifest, COMPOSITE_FAILS, NULL, "another place of a filter");
        l0[1].info.filter_offset = slatedb_sound.l0[1].info.filter_offset;
        l0[1].info.filter_size = all[i];
        /* Without a filter the last block reaches to the index: it holds the filter. */
        both_versions(&manifest, COMPOSITE_FAILS, NULL, "another size of a filter");
    }
}

/* One SST in very many places: a lookup of what is not there must not go through them for ever. */
static void very_many(void) {
    struct made_sst *l0 = calloc(TOO_MANY, sizeof *l0);
    struct made_manifest manifest = slatedb_sound.manifest;
    for (size_t i = 0; i < TOO_MANY; i++) l0[i] = slatedb_sound.l0[1];
    manifest.top.l0 = l0;
    manifest.top.l0_count = TOO_MANY;
    composite_allow_times(3); /* megabytes are parsed */
    slatedb_try_manifest(&manifest, COMPOSITE_FAILS, NULL, "70,000 places of an SST");
    manifest.top.l0_count = MANY;
    slatedb_try_manifest(&manifest, COMPOSITE_FAILS, "places", "60,000 places of an SST");
    manifest.top.l0_count = 256; /* this is no contradiction, but the first L0 is missing */
    slatedb_try_manifest(&manifest, COMPOSITE_ANYTHING, NULL, "256 places of an SST");
    manifest.top.l0_count = 257;
    slatedb_try_manifest(&manifest, COMPOSITE_FAILS, "places", "257 places of an SST");
    manifest.top.l0_count = MANY;
    for (size_t i = 0; i < MANY; i++) l0[i].ulid = 1000 + i;
    slatedb_try_manifest(&manifest, COMPOSITE_FAILS, "compacted/", "60,000 SSTs that are not there");
    composite_allow_times(1);
    free(l0);
}

/* What only counts where it is the latest. */
static void other_names(void) {
    static const char *const ignored[] = {
        "manifest/00000000000000000004.manifest.tmp", "manifest/4.manifest",
        "manifest/0000000000000000004.manifest",      "manifest/000000000000000000004.manifest",
        "manifest/00000000000000000004.MANIFEST",     "manifest/0000000000000000000a.manifest",
        "manifest/-0000000000000000004.manifest",     "manifest/00000000000000000000.manifest",
        "manifest/99999999999999999999.manifest",     "manifest/.manifest",
        "manifest/00000000000000000004.manifest/x",
    };
    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++) {
        composite_try_one(COMPOSITE_KEYS, COMPOSITE_ANSWERS, NULL, ignored[i], "rubbish", 7, "another name: %s",
                          ignored[i]);
    }
    composite_try_one(COMPOSITE_KEYS, COMPOSITE_FAILS, "00000000000000000009", "manifest/00000000000000000009.manifest",
                      "rubbish, but the latest", 23, "a later manifest");
    composite_try_one(COMPOSITE_KEYS, COMPOSITE_FAILS, "18446744073709551615", "manifest/18446744073709551615.manifest",
                      "rubbish, but the latest", 23, "the last manifest that there can be");
}

void slatedb_manifest_rules(void **state) {
    (void)state;
    states();
    replays();
    missing_ssts();
    places();
    very_many();
    other_names();
    composite_count("SlateDB manifests that are well formed");
}

void slatedb_absent(void **state) {
    (void)state;
    composite_change("manifest/00000000000000000002.manifest", NULL, 0);
    composite_change(SLATEDB_MANIFEST, NULL, 0);
    composite_try(COMPOSITE_KEYS, COMPOSITE_FAILS, "no SlateDB manifest", "no manifest");
    composite_change(SLATEDB_MANIFEST, NULL, 0); /* an older one names nothing: other answers, but no contradiction */
    composite_try(COMPOSITE_KEYS, COMPOSITE_ANYTHING, NULL, "an older manifest alone");
    composite_count("SlateDB databases without a manifest");
}
