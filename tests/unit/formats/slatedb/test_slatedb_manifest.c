/* Manifests of both versions: what they hold, what is refused, and which SSTs may hold a key. */
#include "../failing_alloc.h"
#include "make.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct made_sst sst(uint64_t ulid, const char *first, const char *last) {
    struct made_sst made = {.ulid = ulid,
                            .info = {.index_offset = 1000,
                                     .index_size = 100,
                                     .filter_offset = 900,
                                     .filter_size = 100,
                                     .codec = 4,
                                     .first_key = first,
                                     .last_key = last,
                                     .version = 2}};
    return made;
}

static shf_status parse(const struct made_manifest *made, struct shf_slatedb_manifest **out, struct shf_error **error) {
    struct bytes bytes = {0};
    make_manifest(&bytes, made);
    uint8_t *exact = malloc(bytes.size);
    memcpy(exact, bytes.data, bytes.size);
    shf_status status = shf_slatedb_manifest_parse(exact, bytes.size, out, error);
    free(exact); /* it keeps a copy */
    bytes_free(&bytes);
    return status;
}

static void refuse(const struct made_manifest *made, shf_status code, const char *text) {
    struct shf_slatedb_manifest *manifest = NULL;
    struct shf_error *error = NULL;
    expect_error(parse(made, &manifest, &error), &error, code, text);
    assert_null(manifest);
}

static void test_both_versions(void **state) {
    (void)state;
    struct made_sst l0[] = {sst(5, "a", "m"), sst(4, "c", "d")};
    struct made_sst first[] = {sst(1, "a", "f"), sst(2, "f", NULL), sst(3, "h", "p")};
    l0[1].info.version = 1;
    l0[1].info.filter_size = 0;
    l0[0].from_kind = SHF_SLATEDB_INCLUDED;
    l0[0].from = "b";
    l0[0].to_kind = SHF_SLATEDB_EXCLUDED;
    l0[0].to = "k";
    const struct made_run runs[] = {{7, first, 3}, {0, first, 1}};
    struct made_manifest made = {.replay_after = 12, .last_l0_seq = 99, .top = {NULL, l0, 2, runs, 2}};
    for (made.version = 1; made.version <= 2; made.version++) {
        struct shf_slatedb_manifest *m;
        struct shf_error *error = NULL;
        expect_ok(parse(&made, &m, &error), error);
        assert_int_equal(m->version, made.version);
        assert_int_equal(m->replay_after_wal_id, 12);
        assert_int_equal(m->last_l0_seq, 99);
        assert_false(m->has_segments);
        assert_int_equal(m->segment_count, 1);
        assert_int_equal(m->segments[0].l0_count, 2);
        assert_int_equal(m->segments[0].run_count, 2);
        assert_int_equal(m->sst_count, 6);
        const struct shf_slatedb_sst *view = &m->ssts[0];
        assert_true(view->id.high == 1 && view->id.low == 5);
        assert_int_equal(view->from.kind, SHF_SLATEDB_INCLUDED);
        assert_int_equal(view->to.kind, SHF_SLATEDB_EXCLUDED);
        assert_int_equal(view->info.codec, SHF_SLATEDB_ZSTD);
        assert_int_equal(view->info.version, 2);
        assert_int_equal(m->ssts[1].info.version, 1); /* absent */
        assert_int_equal(shf_slatedb_info_data_end(&m->ssts[1].info), 1000);
        uint64_t offset, size;
        shf_slatedb_info_table_range(&view->info, &offset, &size);
        assert_int_equal(offset, 900);
        assert_int_equal(size, 200);
        assert_int_equal(m->runs[0].id, 7);
        assert_int_equal(m->runs[1].id, 0);
        assert_false(m->ssts[m->runs[0].first + 1].info.has_last_key);
        shf_slatedb_manifest_free(m);
    }
}

static struct shf_slatedb_bytes text(const char *key) {
    return (struct shf_slatedb_bytes){(const uint8_t *)key, strlen(key)};
}

static void expect_candidates(const struct shf_slatedb_manifest *m, const char *key, uint32_t from, uint32_t to) {
    uint32_t first, end;
    shf_slatedb_manifest_run_candidates(m, &m->runs[0], text(key), &first, &end);
    assert_int_equal(first, m->runs[0].first + from);
    assert_int_equal(end, m->runs[0].first + to);
}

static void test_candidates(void **state) {
    (void)state;
    struct made_sst l0 = sst(9, "c", "m");
    struct made_sst ssts[] = {sst(1, "b", "f"), sst(2, "f", "f"), sst(3, "f", "p"), sst(4, "q", NULL)};
    const struct made_run run = {1, ssts, 4};
    l0.from_kind = l0.to_kind = SHF_SLATEDB_EXCLUDED;
    l0.from = "d";
    l0.to = "k";
    struct made_manifest made = {.version = 1, .top = {NULL, &l0, 1, &run, 1}};
    struct shf_slatedb_manifest *m;
    expect_ok(parse(&made, &m, NULL), NULL);
    expect_candidates(m, "a", 0, 0);
    expect_candidates(m, "b", 0, 1);
    expect_candidates(m, "c", 0, 1);
    expect_candidates(m, "f", 0, 3); /* all that have it, left to right */
    expect_candidates(m, "g", 2, 3);
    expect_candidates(m, "q", 2, 4);
    expect_candidates(m, "z", 3, 4);
    static const struct {
        const char *key;
        bool may;
    } keys[] = {{"b", 0}, {"c", 0}, {"d", 0}, {"da", 1}, {"e", 1}, {"k", 0}, {"j", 1}, {"m", 0}, {"n", 0}};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        assert_int_equal(shf_slatedb_sst_may_hold(&m->ssts[0], text(keys[i].key)), keys[i].may);
    }
    shf_slatedb_manifest_free(m);
}

static void test_segments(void **state) {
    (void)state;
    struct made_sst a = sst(1, "acct/1", "acct/9"), b = sst(2, "user/1", "user/9");
    const struct made_segment segments[] = {{"user/", &b, 1, NULL, 0}, {"acct/", &a, 1, NULL, 0}};
    struct made_manifest made = {.version = 2, .segments = segments, .segment_count = 2};
    struct shf_slatedb_manifest *m;
    struct shf_error *error = NULL;
    expect_ok(parse(&made, &m, &error), error);
    assert_true(m->has_segments);
    assert_int_equal(m->segment_count, 2);
    assert_ptr_equal(shf_slatedb_manifest_segment(m, text("acct/5")), &m->segments[0]);
    assert_ptr_equal(shf_slatedb_manifest_segment(m, text("acct/")), &m->segments[0]);
    assert_ptr_equal(shf_slatedb_manifest_segment(m, text("user/zz")), &m->segments[1]);
    assert_int_equal(m->ssts[m->segments[1].l0_first].id.low, 2);
    assert_null(shf_slatedb_manifest_segment(m, text("acct")));
    assert_null(shf_slatedb_manifest_segment(m, text("b")));
    assert_null(shf_slatedb_manifest_segment(m, text("zz")));
    shf_slatedb_manifest_free(m);

    const struct made_segment nested[] = {{"user/", &b, 1, NULL, 0}, {"acct/", &a, 1, NULL, 0}, {"us", &b, 1, NULL, 0}};
    made.segments = nested;
    made.segment_count = 3;
    refuse(&made, SHF_E_CORRUPT, "the prefix of a segment begins that of another");
    made.segments = segments;
    made.segment_count = 2;
    made.top = (struct made_segment){NULL, &a, 1, NULL, 0};
    refuse(&made, SHF_E_CORRUPT, "it has segments, and SSTs outside of them");
}

/* Segments whose prefixes are the same bytes: sorting them would compare far more than there is. */
static void test_shared_prefixes(void **state) {
    (void)state;
    struct bytes fb = {0}, file = {0};
    size_t tables[4];
    char prefix[1000] = "p";
    struct shf_slatedb_manifest *m = NULL;
    struct shf_error *error = NULL;
    fb_begin(&fb);
    size_t root = fb_table(&fb, (struct field[]){{2, 1, 1}, {16, 4, 0}}, 2), vector = fb_vector(&fb, 4);
    fb_link(&fb, root, 16, vector);
    for (size_t i = 0; i < 4; i++) {
        tables[i] = fb_table(&fb, (struct field[]){{0, 4, 0}}, 1);
        fb_link_at(&fb, vector + 4 + 4 * i, tables[i]);
    }
    size_t bytes = fb_bytes(&fb, prefix, sizeof prefix);
    for (size_t i = 0; i < 4; i++) fb_link(&fb, tables[i], 0, bytes);
    put_be(&file, 2, 2);
    put(&file, fb.data, fb.size);
    expect_error(shf_slatedb_manifest_parse(file.data, file.size, &m, &error), &error, SHF_E_CORRUPT,
                 "the prefixes of its segments are larger than it");
    bytes_free(&fb);
    bytes_free(&file);
}

static void test_refusals(void **state) {
    (void)state;
    struct made_sst l0 = sst(5, "a", "m");
    struct made_manifest made = {.version = 1, .top = {NULL, &l0, 1, NULL, 0}};
    struct made_manifest bad = made;
    bad.version = 3;
    refuse(&bad, SHF_E_UNSUPPORTED, "manifest: version 3 is not supported");
    bad.version = 0;
    refuse(&bad, SHF_E_UNSUPPORTED, "version 0");
    bad = made;
    bad.uninitialized = true;
    refuse(&bad, SHF_E_CORRUPT, "not initialized");
    bad = made;
    bad.has_wal_uri = true;
    refuse(&bad, SHF_E_UNSUPPORTED, "an object store of its own");
    bad = made;
    bad.external = 5;
    refuse(&bad, SHF_E_UNSUPPORTED, "lies in another database (this one is a clone)");
    bad.external = 6; /* of no concern */
    struct shf_slatedb_manifest *m;
    expect_ok(parse(&bad, &m, NULL), NULL);
    shf_slatedb_manifest_free(m);
    bad = made;
    bad.replay_after = UINT64_MAX;
    refuse(&bad, SHF_E_CORRUPT, "no WAL id follows");
    bad = made;
    bad.version = 2;
    bad.forgotten = 5;
    refuse(&bad, SHF_E_CORRUPT, "which the manifest does not describe");
}

static void refuse_sst(const struct made_sst *l0, shf_status code, const char *what) {
    struct made_manifest made = {.version = 1, .top = {NULL, l0, 1, NULL, 0}};
    for (; made.version <= 2; made.version++) refuse(&made, code, what);
}

static void test_bad_ssts(void **state) {
    (void)state;
    struct made_sst bad = sst(5, "a", "m");
    bad.info.version = 3;
    refuse_sst(&bad, SHF_E_UNSUPPORTED, "SST version 3 is not supported");
    bad = sst(5, "a", "m");
    bad.info.codec = 5;
    refuse_sst(&bad, SHF_E_UNSUPPORTED, "compression codec 5 is not supported");
    bad = sst(5, "a", "m");
    bad.info.index_size = 3;
    refuse_sst(&bad, SHF_E_CORRUPT, "an index of 3 bytes at offset 1000");
    bad.info.index_size = UINT64_MAX;
    refuse_sst(&bad, SHF_E_CORRUPT, "an index of");
    bad.info.index_offset = INT64_MAX;
    bad.info.index_size = 100;
    refuse_sst(&bad, SHF_E_CORRUPT, "an index of");
    bad = sst(5, "a", "m");
    bad.info.filter_size = 101;
    refuse_sst(&bad, SHF_E_CORRUPT, "a filter of 101 bytes at offset 900");
    bad.info.filter_size = 3;
    refuse_sst(&bad, SHF_E_CORRUPT, "a filter of 3 bytes");
    bad.info.filter_size = UINT64_MAX - 800;
    refuse_sst(&bad, SHF_E_CORRUPT, "a filter of");
    bad = sst(5, "a", "m");
    bad.info.index_size = (256u << 20) + 1;
    refuse_sst(&bad, SHF_E_LIMIT, "at most 268435456 are read");
    bad = sst(5, "a", "m");
    bad.from_kind = SHF_SLATEDB_INCLUDED;
    bad.to_kind = SHF_SLATEDB_UNBOUNDED;
    refuse_sst(&bad, SHF_E_CORRUPT, "a bound of kind 2 without a key");
    bad.from_kind = 4;
    bad.from = "a";
    refuse_sst(&bad, SHF_E_CORRUPT, "a bound of kind 4");
}

static void test_bad_runs(void **state) {
    (void)state;
    static const struct {
        const char *first[2], *last[2];
    } runs[] = {
        {{"b", "a"}, {NULL, NULL}}, {{"a", "b"}, {"c", "d"}}, {{NULL, "b"}, {NULL, NULL}}, {{"a", NULL}, {NULL, NULL}}};
    for (size_t i = 0; i < 4; i++) {
        struct made_sst ssts[] = {sst(1, runs[i].first[0], runs[i].last[0]), sst(2, runs[i].first[1], runs[i].last[1])};
        const struct made_run run = {31, ssts, 2};
        struct made_manifest made = {.version = 1, .top = {NULL, NULL, 0, &run, 1}};
        refuse(&made, SHF_E_CORRUPT, "manifest: run 31: its SST");
    }
}

/* Many places for few bytes: the count is what bounds it. */
static void test_counts(void **state) {
    (void)state;
    struct made_sst one = sst(1, "a", "b");
    struct made_run *runs = calloc(SHF_LIMIT_SLATEDB_SSTS + 1, sizeof *runs);
    for (uint32_t i = 0; i <= SHF_LIMIT_SLATEDB_SSTS; i++) runs[i] = (struct made_run){1, &one, 0};
    struct made_manifest made = {.version = 1, .top = {NULL, NULL, 0, runs, SHF_LIMIT_SLATEDB_SSTS + 1}};
    refuse(&made, SHF_E_LIMIT, "65537 sorted runs; at most 65536 are read");
    struct bytes bytes = {0}; /* every run is the same vector of SSTs */
    put_be(&bytes, 1, 2);
    struct bytes fb = {0};
    fb_begin(&fb);
    size_t root = fb_table(&fb, (struct field[]){{2, 1, 1}, {9, 4, 0}}, 2), list = fb_vector(&fb, 400);
    fb_link(&fb, root, 9, list);
    size_t run = fb_table(&fb, (struct field[]){{1, 4, 0}}, 1), ssts = fb_vector(&fb, 400);
    fb_link(&fb, run, 1, ssts);
    for (size_t i = 0; i < 400; i++) fb_link_at(&fb, list + 4 + 4 * i, run);
    size_t table = fb_table(&fb, (struct field[]){{0, 4, 0}, {1, 4, 0}}, 2);
    size_t id = fb_ulid(&fb, 1, 1);
    size_t info = fb_table(&fb, (struct field[]){{0, 4, 0}, {1, 8, 10}, {2, 8, 10}}, 3), key = fb_bytes(&fb, "k", 1);
    fb_link(&fb, table, 0, id);
    fb_link(&fb, table, 1, info);
    fb_link(&fb, info, 0, key);
    for (size_t i = 0; i < 400; i++) fb_link_at(&fb, ssts + 4 + 4 * i, table);
    put(&bytes, fb.data, fb.size);
    struct shf_slatedb_manifest *m = NULL;
    struct shf_error *error = NULL;
    expect_error(shf_slatedb_manifest_parse(bytes.data, bytes.size, &m, &error), &error, SHF_E_LIMIT, "places of SSTs");
    size_t too_many = SHF_LIMIT_SLATEDB_MANIFEST_BYTES + 1u;
    uint8_t *large = calloc(1, too_many);
    large[1] = 1;
    expect_error(shf_slatedb_manifest_parse(large, too_many, &m, &error), &error, SHF_E_LIMIT, "67108865 bytes");
    expect_error(shf_slatedb_manifest_parse(large, 1, &m, &error), &error, SHF_E_CORRUPT, "1 bytes are none");
    free(large);
    bytes_free(&fb);
    bytes_free(&bytes);
    free(runs);
}

/* Cut at every place, and every byte damaged: an error or a manifest, never a read beyond (ASan) and never a leak. */
static void test_damage(void **state) {
    (void)state;
    struct made_sst l0 = sst(5, "a", "m"), of_run[] = {sst(1, "a", "f"), sst(2, "f", "g")};
    const struct made_run run = {7, of_run, 2};
    struct made_manifest made = {.last_l0_seq = 9, .external = 77, .top = {NULL, &l0, 1, &run, 1}};
    unsigned refused = 0;
    for (made.version = 1; made.version <= 2; made.version++) {
        struct bytes bytes = {0};
        make_manifest(&bytes, &made);
        for (size_t size = 0; size < bytes.size; size++) {
            struct shf_slatedb_manifest *m = NULL;
            uint8_t *exact = malloc(size ? size : 1);
            memcpy(exact, bytes.data, size);
            if (shf_slatedb_manifest_parse(exact, size, &m, NULL)) refused++;
            shf_slatedb_manifest_free(m);
            free(exact);
            for (int bit = 0; bit < 8; bit++) {
                m = NULL;
                bytes.data[size] ^= (uint8_t)(1 << bit);
                struct shf_error *error = NULL;
                if (shf_slatedb_manifest_parse(bytes.data, bytes.size, &m, &error)) assert_non_null(error);
                shf_error_free(error);
                shf_slatedb_manifest_free(m);
                bytes.data[size] ^= (uint8_t)(1 << bit);
            }
        }
        bytes_free(&bytes);
    }
    assert_true(refused > 500);
}

/* ---- allocations ---- */

static void test_failing_allocations(void **state) {
    (void)state;
    struct made_sst l0 = sst(5, "a", "m"), of_run[] = {sst(1, "a", "f"), sst(2, "f", "g")};
    const struct made_run run = {7, of_run, 2};
    struct made_manifest made = {.version = 2, .external = 77, .top = {NULL, &l0, 1, &run, 1}};
    struct bytes bytes = {0};
    make_manifest(&bytes, &made);
    shf_status status = SHF_E_NO_MEMORY;
    unsigned n = 0;
    while (status && n < 100) {
        struct shf_slatedb_manifest *m = NULL;
        struct shf_error *error = NULL;
        alloc_fail_at(++n);
        status = shf_slatedb_manifest_parse(bytes.data, bytes.size, &m, &error);
        if (status) assert_int_equal(status, SHF_E_NO_MEMORY);
        assert_int_equal(shf_error_code(error), status);
        shf_error_free(error);
        shf_slatedb_manifest_free(m);
        assert_int_equal(alloc_live(), 0);
    }
    alloc_normal();
    assert_int_equal(status, SHF_OK);
    assert_true(n > 6);
    bytes_free(&bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_versions), cmocka_unit_test(test_candidates),
        cmocka_unit_test(test_segments),      cmocka_unit_test(test_shared_prefixes),
        cmocka_unit_test(test_refusals),      cmocka_unit_test(test_bad_ssts),
        cmocka_unit_test(test_bad_runs),      cmocka_unit_test(test_counts),
        cmocka_unit_test(test_damage),        cmocka_unit_test(test_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
