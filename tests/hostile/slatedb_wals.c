/* The WAL: its objects, and which of them are there. */
#include "hostile/slatedb.h"

#include "integration/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void damage(const char *name) {
    size_t size;
    const uint8_t *bytes = composite_object(name, &size);
    uint8_t *copy = malloc(size + 1);
    memcpy(copy, bytes, size);
    for (size_t at = 0; at < size; at++) {
        copy[at] = (uint8_t)(bytes[at] ^ (at % 3 == 0 ? 0xff : 1 << at % 8));
        /* the version of the blocks has no checksum: 2 read as 3 is refused, as 1 it is another layout */
        composite_try_one(COMPOSITE_KEYS, COMPOSITE_FAILS, name, name, copy, size, "%s: another byte at %zu", name, at);
        copy[at] = bytes[at];
    }
    for (size_t cut = 11; cut < size; cut += 7) { /* with 10 bytes or fewer it is a fence */
        composite_try_one(COMPOSITE_KEYS, COMPOSITE_FAILS, name, name, bytes, cut, "%s: cut at %zu", name, cut);
    }
    static const uint64_t offsets[] = {0, 1, 0x7fffffff, INT64_MAX, UINT64_MAX, UINT64_MAX - 10};
    for (size_t i = 0; i < sizeof offsets / sizeof offsets[0]; i++) {
        memcpy(copy, bytes, size);
        for (unsigned b = 0; b < 8; b++) copy[size - 10 + b] = (uint8_t)(offsets[i] >> (8 * (7 - b)));
        composite_try_one(COMPOSITE_KEYS, COMPOSITE_FAILS, name, name, copy, size, "%s: a footer that points to %llx",
                          name, (unsigned long long)offsets[i]);
    }
    static const unsigned versions[] = {0, 3, 256, 65535};
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
        memcpy(copy, bytes, size);
        copy[size - 2] = (uint8_t)(versions[i] >> 8);
        copy[size - 1] = (uint8_t)versions[i];
        composite_try_one(COMPOSITE_KEYS, COMPOSITE_FAILS, "version", name, copy, size, "%s: version %u", name,
                          versions[i]);
    }
    free(copy);
}

static void try_rows(const struct test_row *rows, size_t count, const struct sst_options *options,
                     enum composite_wish wish, const char *text, const char *name) {
    struct bytes file = {0};
    struct sst_options wal = *options;
    wal.is_wal = true;
    (void)make_sst(&file, rows, count, &wal);
    composite_try_one(COMPOSITE_KEYS, wish, text, SLATEDB_WAL(8), file.data, file.size, "a WAL object: %s", name);
    bytes_free(&file);
}

/* An object whose block is this, packed already where there is a codec. */
static void try_block(const uint8_t *data, size_t data_size, uint8_t codec, const char *text, const char *name) {
    struct bytes file = {0}, one = {0}, info = {0};
    put(&file, data, data_size);
    put_checksum(&file, 0);
    fb_begin(&one);
    size_t root = fb_table(&one, (struct field[]){{0, 4, 0}}, 1), vector = fb_vector(&one, 1);
    fb_link(&one, root, 0, vector);
    size_t table = fb_table(&one, (struct field[]){{0, 8, 0}, {1, 4, 0}}, 2);
    fb_link_at(&one, vector + 4, table);
    size_t key = fb_bytes(&one, "\0\0\0\0\0\0\0\1", 8);
    fb_link(&one, table, 1, key);
    size_t stored_size, index_at = file.size;
    uint8_t *stored = pack(codec, false, one.data, one.size, &stored_size);
    put(&file, stored, stored_size);
    put_checksum(&file, index_at);
    free(stored);
    size_t index_size = file.size - index_at;
    size_t from = file.size;
    fb_begin(&info);
    (void)fb_table(
        &info, (struct field[]){{1, 8, index_at}, {2, 8, index_size}, {3, 8, index_at}, {5, 1, codec}, {6, 1, 1}}, 5);
    put(&file, info.data, info.size);
    put_checksum(&file, from);
    put_be(&file, from, 8);
    put_be(&file, 2, 2);
    composite_try_one(COMPOSITE_KEYS, COMPOSITE_FAILS, text, SLATEDB_WAL(8), file.data, file.size, "a WAL object: %s",
                      name);
    bytes_free(&file);
    bytes_free(&one);
    bytes_free(&info);
}

void slatedb_wal_objects(void **state) {
    static const struct sst_options plain = {.version = 2, .filter = -1},
                                    packed = {.version = 2, .codec = 4, .filter = -1};
    (void)state;
    damage(SLATEDB_WAL(6));
    damage(SLATEDB_WAL(7));
    for (unsigned size = 0; size <= 10; size++) {
        composite_try_one(COMPOSITE_KEYS, COMPOSITE_ANSWERS, NULL, SLATEDB_WAL(8), "0123456789", size,
                          "a fence of %u bytes", size);
    }
    composite_try_one(COMPOSITE_KEYS, COMPOSITE_FAILS, SLATEDB_WAL(8), SLATEDB_WAL(8), "0123456789a", 11, "11 bytes");
    const struct test_row odd[] = {{"w00", "x", 200, 0x10, 0}};
    try_rows(odd, 1, &plain, COMPOSITE_FAILS, "flags", "an unknown flag");
    const struct test_row both[] = {{"w00", NULL, 200, 8, 0}};
    try_rows(both, 1, &plain, COMPOSITE_FAILS, "flags", "a tombstone that is a merge operand");
    const struct test_row merge[] = {{"w00", "x", 200, 8, 0}};
    try_rows(merge, 1, &plain, COMPOSITE_FAILS, "merge", "a merge operand");
    const struct test_row late[] = {{"w00", "x", SLATEDB_LAST_L0_SEQ, 0, 0}, {"a00", NULL, 1, 0, 0}};
    try_rows(late, 2, &packed, COMPOSITE_ANSWERS, NULL, "rows that are in SSTs already");
    const struct test_row last[] = {{"zz", "x", UINT64_MAX, 0, 0}};
    try_rows(last, 1, &packed, COMPOSITE_ANSWERS, NULL, "the last sequence number that there can be");
    uint8_t *zeros = calloc(1, 200000000);
    composite_allow_times(20);
    for (uint8_t codec = SHF_SLATEDB_SNAPPY; codec <= SHF_SLATEDB_ZSTD; codec++) {
        size_t size;
        uint8_t *bomb = pack(codec, false, zeros, 200000000, &size);
        try_block(bomb, size, codec, SLATEDB_WAL(8), "200 MB of zeros");
        free(bomb);
    }
    composite_allow_times(1);
    free(zeros);
    composite_count("objects of a SlateDB WAL");
}

/* ---- sets ---- */

static void gaps(void) {
    composite_change(SLATEDB_WAL(6), NULL, 0);
    composite_try(COMPOSITE_KEYS, COMPOSITE_FAILS, SLATEDB_WAL(6), "a gap");
    composite_change(SLATEDB_WAL(5), NULL, 0);
    composite_try(COMPOSITE_KEYS, COMPOSITE_FAILS, SLATEDB_WAL(5), "a gap at the beginning");
    composite_try_one(COMPOSITE_KEYS, COMPOSITE_FAILS, SLATEDB_WAL(8), SLATEDB_WAL(9), "", 0, "a gap before a fence");
    composite_try_one(COMPOSITE_KEYS, COMPOSITE_FAILS, SLATEDB_WAL(8), "wal/18446744073709551615.sst", "", 0,
                      "a gap before the last number that there can be");
    composite_change(SLATEDB_WAL(4), NULL, 0);
    composite_try(COMPOSITE_KEYS, COMPOSITE_ANSWERS, NULL, "one that is in SSTs already is gone");
    composite_change(SLATEDB_WAL(7), NULL, 0); /* nobody can tell that there was one */
    composite_try(COMPOSITE_KEYS, COMPOSITE_ANYTHING, NULL, "the last one is gone");
}

static void strangers(void) {
    static const char *const names[] = {
        "wal/8.sst",
        "wal/0000000000000000008.sst",
        "wal/000000000000000000008.sst",
        "wal/00000000000000000008.sst.tmp",
        "wal/00000000000000000008.SST",
        "wal/00000000000000000008.manifest",
        "wal/0000000000000000000a.sst",
        "wal/00000000000000000000.sst",
        "wal/99999999999999999999.sst",
        "wal/18446744073709551616.sst",
        "wal/.sst",
        "wal/sub/00000000000000000008.sst",
        "wal/00000000000000000008.sst/x",
        "wal/\x01\xff",
        "wal/a name that is much longer than any name of the format, and then some, so that it can not fit",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        composite_try_one(COMPOSITE_KEYS, COMPOSITE_ANSWERS, NULL, names[i], "rubbish, not rows", 17, "a stranger: %s",
                          names[i]);
    }
}

static void swapped(void) {
    size_t size;
    const uint8_t *sixth = composite_object(SLATEDB_WAL(6), &size);
    composite_change(SLATEDB_WAL(7), sixth, size);
    const uint8_t *seventh = composite_object(SLATEDB_WAL(7), &size);
    composite_change(SLATEDB_WAL(6), seventh, size);
    composite_try(COMPOSITE_KEYS, COMPOSITE_ANSWERS, NULL, "two objects in each other's place"); /* by sequence numbers */
}

static void very_many(void) {
    enum { STRANGERS = 200, FENCES = 200 };
    char name[64];
    for (unsigned i = 0; i < STRANGERS; i++) {
        (void)snprintf(name, sizeof name, "wal/stranger-%08u.sst", i);
        composite_change(name, "x", 1);
    }
    composite_try(COMPOSITE_KEYS, COMPOSITE_ANSWERS, NULL, "200 strangers");
    for (unsigned i = 0; i < FENCES; i++) {
        (void)snprintf(name, sizeof name, "wal/%020u.sst", 8 + i);
        composite_change(name, "", 0);
    }
    composite_try(COMPOSITE_KEYS, COMPOSITE_ANSWERS, NULL, "200 fences");
}

void slatedb_wal_sets(void **state) {
    (void)state;
    gaps();
    strangers();
    swapped();
    very_many();
    composite_try_among_strangers(COMPOSITE_KEYS, "wal/");
    composite_try_among_strangers(COMPOSITE_KEYS, "manifest/");
    composite_count("sets of WAL objects");
}

/* ---- replaced while it is read ---- */

static char first_of(shf_reader *reader) {
    shf_key key = shf_key_from_text("w00", 3);
    shf_value value;
    shf_op *op = NULL;
    SHF_INIT(&value);
    assert_int_equal(shf_get_sync(reader, &key, NULL, 0, &op), SHF_OK);
    assert_int_equal(shf_op_value(op, 0, &value), SHF_OK);
    assert_int_equal(value.status, SHF_OK);
    assert_true(value.data.size > 0);
    char first = *(const char *)value.data.data;
    shf_op_release(op);
    return first;
}

/*
 * Published objects are not written again; somebody did it all the same, while they were being replayed. Old or new rows
 * come, or an error that says so; what is cached never speaks of the other content.
 */
void slatedb_replaced_wal(void **state) {
    enum { ROUNDS = 150, FENCES = 120 }; /* so that some time goes by between the listing and the last object */
    static const char last[] = "wal/00000000000000000128.sst";
    static const struct sst_options plain = {.version = 2, .filter = -1};
    struct bytes contents[2] = {{0}, {0}};
    unsigned outcomes[3] = {0};
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct sst_options wal = plain;
        const struct test_row row = {"w00", i ? "B" : "A", 300, 0, 0};
        wal.is_wal = true;
        (void)make_sst(&contents[i], &row, 1, &wal);
    }
    for (unsigned i = 0; i < FENCES; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "wal/%020u.sst", 8 + i);
        composite_change(name, "", 0);
    }
    composite_change(last, contents[0].data, contents[0].size);
    char *path = support_path("%s/shards/a/%s", composite_snapshot(), last);
    for (unsigned round = 0; round < ROUNDS; round++) {
        shf_reader_options options;
        shf_call call = support_call();
        shf_op_id id = 0;
        shf_status status;
        shf_reader *reader = NULL;
        const struct bytes *old = &contents[round % 2], *new = &contents[(round + 1) % 2];
        SHF_INIT(&options);
        options.url = composite_snapshot();
        options.local_root = composite_cache();
        support_write_file(path, old->data, old->size);
        shf_status submitted = shf_open(support_runtime, &options, &call, &id);
        support_write_file(path, new->data, new->size);
        shf_op *op = support_wait(submitted, id);
        status = shf_op_status(op);
        if (status) {
            const char *message = shf_error_message(shf_op_error(op));
            if (status != SHF_E_STORE_RETRY || !strstr(message, "keys: ") || !strstr(message, last)) {
                fail_msg("replaced while it was read: %d: %s", status, message);
            }
            outcomes[2]++;
        } else {
            assert_int_equal(shf_op_take_reader(op, &reader), SHF_OK);
            char first = first_of(reader);
            assert_true(first == 'A' || first == 'B');
            outcomes[first == (round % 2 ? 'A' : 'B')]++;
            support_close(reader);
        }
        shf_op_release(op);
        reader = support_open(composite_snapshot(), composite_cache(), 0, &status);
        if (!reader) fail_msg("afterwards: %s", support_message);
        assert_int_equal(first_of(reader), round % 2 ? 'A' : 'B');
        support_close(reader);
    }
    print_message("replaced while it was read: %u old, %u new, %u refused\n", outcomes[0], outcomes[1], outcomes[2]);
    composite_try(COMPOSITE_KEYS, COMPOSITE_ANYTHING, NULL, "a WAL object that was replaced");
    free(path);
    for (int i = 0; i < 2; i++) bytes_free(&contents[i]);
    composite_is_sound("all is as before");
    composite_count("replaced objects of a WAL");
}
