/* Entries of the disk cache: written, found, and thrown away when they are not what their record says. */
#include "cache_support.h"

#include "base/text.h"
#include "io/cache_map.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct cache_test t;

static int begin(void **state) {
    (void)state;
    cache_begin(&t, 0);
    return 0;
}

static int end(void **state) {
    (void)state;
    cache_end(&t);
    return 0;
}

static void test_keys(void **state) {
    (void)state;
    struct shf_cache_key one, other;
    char digest[65];
    const char *const ab_c[] = {"ab", "c"}, *const a_bc[] = {"a", "bc"};
    assert_int_equal(shf_cache_key_make(ab_c, 2, &one, NULL), SHF_OK);
    assert_int_equal(shf_cache_key_make(a_bc, 2, &other, NULL), SHF_OK);
    assert_memory_not_equal(&one, &other, sizeof one);
    assert_int_equal(shf_cache_key_make(ab_c, 1, &one, NULL), SHF_OK); /* printf 'ab\0' | sha256sum */
    shf_hex_encode(one.digest, sizeof one.digest, digest);
    assert_string_equal(digest, "969caaeb3626c0d5695eefa6aea53305b312b33d505272adc6cb24450650c243");
}

static void test_written_and_found(void **state) {
    (void)state;
    struct shf_mapped_file file = {0};
    struct shf_cache_key key = cache_key("a");
    bool found = true;
    assert_false(cache_find(&t, "a", &file));
    cache_put_only(&t, "a", "hello", 5);
    assert_true(cache_has(&t, "a", "hello", 5));
    assert_false(cache_has(&t, "b", "", 0));
    assert_int_equal(shf_disk_cache_find(t.cache, &key, "vectors", &found, &file, NULL), SHF_OK); /* another kind */
    assert_false(found);
    shf_runtime_stats stats = support_stats(t.runtime);
    assert_int_equal(stats.cache_hits, 1);
    assert_int_equal(stats.cache_misses, 3);
    assert_int_equal(cache_count(&t, "tmp-"), 0);
    assert_int_equal(cache_count(&t, ""), 3); /* the file, its record, the lock */
}

static void test_who_is_first_wins(void **state) {
    (void)state;
    struct shf_cache_writer first, second;
    struct shf_cache_key key = cache_key("a");
    struct shf_mapped_file one = {0}, two = {0};
    assert_int_equal(shf_disk_cache_begin(t.cache, &first, NULL), SHF_OK);
    assert_int_equal(shf_disk_cache_begin(t.cache, &second, NULL), SHF_OK);
    assert_int_equal(cache_count(&t, "tmp-"), 2);
    assert_int_equal(shf_fs_write(first.fd, "first", 5, 0), 0);
    assert_int_equal(shf_fs_write(second.fd, "the second", 10, 0), 0);
    assert_int_equal(shf_disk_cache_commit(&first, &key, "shard", &one, NULL), SHF_OK);
    assert_int_equal(shf_disk_cache_commit(&second, &key, "shard", &two, NULL), SHF_OK);
    assert_int_equal(two.buf->size, 5);
    assert_memory_equal(two.buf->data, "first", 5);
    shf_buf_release(one.buf);
    shf_buf_release(two.buf);
    assert_int_equal(cache_count(&t, "tmp-"), 0);
}

static void test_abort_and_empty(void **state) {
    (void)state;
    struct shf_cache_writer writer;
    struct shf_cache_key key = cache_key("a");
    struct shf_mapped_file file = {0};
    struct shf_error *error = NULL;
    assert_int_equal(shf_disk_cache_begin(t.cache, &writer, NULL), SHF_OK);
    assert_int_equal(cache_count(&t, "tmp-"), 1);
    shf_disk_cache_abort(&writer);
    assert_int_equal(cache_count(&t, ""), 0);
    assert_int_equal(shf_disk_cache_begin(t.cache, &writer, NULL), SHF_OK);
    assert_int_equal(shf_disk_cache_commit(&writer, &key, "shard", &file, &error), SHF_E_CORRUPT);
    support_expect_error(error, SHF_E_CORRUPT, "empty");
    assert_null(file.buf);
    assert_int_equal(cache_count(&t, ""), 0);
}

/* What is mapped outlives the file, the cache's handle and the runtime. */
static void test_mappings_outlive_everything(void **state) {
    (void)state;
    struct cache_test mine;
    cache_begin(&mine, 0);
    struct shf_mapped_file file = cache_put(&mine, "a", "hello", 5);
    assert_int_equal(support_stats(mine.runtime).mapped_bytes, 5);
    char *path = cache_file_path(&mine, "a", false);
    assert_int_equal(unlink(path), 0);
    shf_disk_cache_release(mine.cache);
    support_runtime_free(mine.runtime);
    support_remove(mine.parent);
    assert_memory_equal(file.buf->data, "hello", 5);
    shf_buf_release(file.buf);
    free(mine.path);
    free(path);
}

static void test_writing_through_a_mapping(void **state) {
    (void)state;
    struct shf_cache_writer writer;
    struct shf_cache_key key = cache_key("a");
    struct shf_mapped_file file = {0};
    struct shf_error *error = NULL;
    uint8_t *bytes = NULL, *pattern = support_pattern(100000, 3);
    assert_int_equal(shf_disk_cache_begin(t.cache, &writer, NULL), SHF_OK);
    static const uint64_t impossible[] = {0, (uint64_t)INT64_MAX + 1, UINT64_MAX};
    for (size_t i = 0; i < SUPPORT_COUNT(impossible); i++) {
        assert_int_equal(shf_cache_writer_map(&writer, impossible[i], &bytes, &error), SHF_E_LIMIT);
        support_expect_error(error, SHF_E_LIMIT, "can not be made");
        error = NULL;
    }
    assert_int_equal(shf_cache_writer_map(&writer, UINT64_C(1) << 60, &bytes, &error), SHF_E_LOCAL);
    support_expect_error(error, SHF_E_LOCAL, "cannot reserve");
    assert_null(bytes);
    assert_int_equal(shf_cache_writer_map(&writer, 100000, &bytes, NULL), SHF_OK);
    memcpy(bytes, pattern, 100000);
    shf_cache_writer_unmap(bytes, 100000);
    assert_int_equal(shf_disk_cache_commit(&writer, &key, "shard", &file, NULL), SHF_OK);
    assert_memory_equal(file.buf->data, pattern, 100000);
    shf_buf_release(file.buf);
    assert_true(cache_has(&t, "a", pattern, 100000));
    free(pattern);
}

/* ---- what spoils an entry ---- */

static char *data, *record;

static void copy_times(const char *path, const struct stat *of) {
    const struct timespec times[2] = {of->st_atim, of->st_mtim};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void grow(void) { assert_int_equal(truncate(data, 6), 0); }
static void empty(void) { assert_int_equal(truncate(data, 0), 0); }
static void other_time(void) {
    const struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    assert_int_equal(utimensat(AT_FDCWD, data, times, 0), 0);
}
/* Same size and time, another file. */
static void other_inode(void) {
    struct stat before;
    char *other = support_path("%s/other", t.parent);
    assert_int_equal(stat(data, &before), 0);
    support_write_text(other, "HELLO");
    assert_int_equal(chmod(other, 0600), 0);
    copy_times(other, &before);
    assert_int_equal(rename(other, data), 0);
    free(other);
}
static void linked_twice(void) {
    char *other = support_path("%s/other", t.parent);
    (void)unlink(other);
    assert_int_equal(link(data, other), 0);
    free(other);
}
static void open_to_others(void) { assert_int_equal(chmod(data, 0602), 0); }
static void record_open_to_others(void) { assert_int_equal(chmod(record, 0620), 0); }
static void replace_by_link(const char *path) {
    char *other = support_path("%s.moved", path);
    assert_int_equal(rename(path, other), 0);
    assert_int_equal(symlink(other, path), 0);
    free(other);
}
static void data_is_a_link(void) { replace_by_link(data); }
static void record_is_a_link(void) { replace_by_link(record); }
static void replace_by_fifo(const char *path) {
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
}
static void data_is_a_fifo(void) { replace_by_fifo(data); }
static void record_is_a_fifo(void) { replace_by_fifo(record); }
static void record_is_short(void) { assert_int_equal(truncate(record, SHF_CACHE_RECORD_BYTES - 1), 0); }
static void record_is_empty(void) { assert_int_equal(truncate(record, 0), 0); }
static void no_record(void) { assert_int_equal(unlink(record), 0); }
static void no_data(void) { assert_int_equal(unlink(data), 0); }
/* Both files of another key, as a whole. */
static void of_another_key(void) {
    cache_put_only(&t, "other", "other", 5);
    char *other_data = cache_file_path(&t, "other", false), *other_record = cache_file_path(&t, "other", true);
    assert_int_equal(rename(other_data, data), 0);
    assert_int_equal(rename(other_record, record), 0);
    free(other_data);
    free(other_record);
}

static void test_what_spoils_an_entry(void **state) {
    (void)state;
    static void (*const spoilers[])(void) = {grow,
                                             empty,
                                             other_time,
                                             other_inode,
                                             linked_twice,
                                             open_to_others,
                                             no_record,
                                             no_data,
                                             data_is_a_link,
                                             record_is_a_link,
                                             data_is_a_fifo,
                                             record_is_a_fifo,
                                             record_is_short,
                                             record_is_empty,
                                             record_open_to_others,
                                             of_another_key};
    data = cache_file_path(&t, "a", false);
    record = cache_file_path(&t, "a", true);
    for (size_t i = 0; i < SUPPORT_COUNT(spoilers); i++) {
        cache_put_only(&t, "a", "hello", 5);
        assert_true(cache_has(&t, "a", "hello", 5));
        spoilers[i]();
        if (cache_has(&t, "a", "hello", 5)) fail_msg("spoiler %zu was not noticed", i);
        cache_put_only(&t, "a", "hello", 5); /* what is there does not stand in the way */
        if (!cache_has(&t, "a", "hello", 5)) fail_msg("spoiler %zu stays", i);
    }
    free(data);
    free(record);
}

static void test_every_byte_of_a_record_counts(void **state) {
    (void)state;
    record = cache_file_path(&t, "a", true);
    for (off_t at = 0; at < (off_t)SHF_CACHE_RECORD_BYTES; at++) {
        uint8_t byte;
        cache_put_only(&t, "a", "hello", 5);
        int fd = open(record, O_RDWR | O_CLOEXEC);
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        byte ^= 0x10;
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        assert_int_equal(close(fd), 0);
        if (cache_has(&t, "a", "hello", 5)) fail_msg("byte %d was not looked at", (int)at);
        assert_int_equal(access(record, F_OK), -1); /* thrown away, with its file */
        assert_int_equal(cache_count(&t, ""), 1);
    }
    free(record);
}

/* Bytes that never reached the disk before the power went: size and time are those of the record. */
static void lose_bytes(const char *path) {
    struct stat before;
    assert_int_equal(stat(path, &before), 0);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "\0\0", 2, 2), 2);
    assert_int_equal(close(fd), 0);
    copy_times(path, &before);
}

static void read_record(uint8_t out[SHF_CACHE_RECORD_BYTES]) {
    int fd = open(record, O_RDONLY | O_CLOEXEC);
    assert_int_equal(pread(fd, out, SHF_CACHE_RECORD_BYTES, 0), SHF_CACHE_RECORD_BYTES);
    assert_int_equal(close(fd), 0);
}

static void test_after_another_boot(void **state) {
    (void)state;
    uint8_t first[SHF_CACHE_RECORD_BYTES], second[SHF_CACHE_RECORD_BYTES];
    data = cache_file_path(&t, "a", false);
    record = cache_file_path(&t, "a", true);
    cache_put_only(&t, "a", "hello", 5);
    read_record(first);
    t.cache->boot[7] ^= 1;
    assert_true(cache_has(&t, "a", "hello", 5)); /* hashed, and the record is of this boot now */
    read_record(second);
    assert_memory_not_equal(first, second, sizeof first);
    assert_int_equal(cache_count(&t, "tmp-"), 0);
    assert_true(cache_has(&t, "a", "hello", 5));
    lose_bytes(data); /* nobody looks twice in one boot */
    assert_true(cache_has(&t, "a", "he\0\0o", 5));
    t.cache->boot[7] ^= 2;
    assert_false(cache_has(&t, "a", "he\0\0o", 5));
    assert_int_equal(access(data, F_OK), -1); /* thrown away */
    assert_int_equal(access(record, F_OK), -1);
    cache_put_only(&t, "a", "hello", 5);
    assert_true(cache_has(&t, "a", "hello", 5));
    free(data);
    free(record);
}

/* A directory in the place of a file is nothing that the cache removes: it says what to do. */
static void test_a_directory_in_its_place(void **state) {
    (void)state;
    struct shf_cache_writer writer;
    struct shf_cache_key key = cache_key("a");
    struct shf_mapped_file file = {0};
    struct shf_error *error = NULL;
    data = cache_file_path(&t, "a", false);
    assert_int_equal(mkdir(data, 0700), 0);
    assert_false(cache_has(&t, "a", "hello", 5));
    assert_int_equal(shf_disk_cache_begin(t.cache, &writer, NULL), SHF_OK);
    assert_int_equal(shf_fs_write(writer.fd, "hello", 5, 0), 0);
    assert_int_equal(shf_disk_cache_commit(&writer, &key, "shard", &file, &error), SHF_E_LOCAL);
    support_expect_error(error, SHF_E_LOCAL, "a directory is in its place: remove it");
    assert_int_equal(cache_count(&t, "tmp-"), 0);
    assert_int_equal(rmdir(data), 0);
    cache_put_only(&t, "a", "hello", 5);
    free(data);
}

/* The file that is in use is not taken away by its spoiled record. */
static void test_in_use_when_spoiled(void **state) {
    (void)state;
    struct shf_mapped_file file = cache_put(&t, "a", "hello", 5);
    record = cache_file_path(&t, "a", true);
    data = cache_file_path(&t, "a", false);
    assert_int_equal(truncate(record, 5), 0);
    assert_false(cache_has(&t, "a", "hello", 5));
    assert_int_equal(access(data, F_OK), 0);
    cache_put_only(&t, "a", "world", 5);
    assert_memory_equal(file.buf->data, "hello", 5);
    assert_true(cache_has(&t, "a", "world", 5));
    shf_buf_release(file.buf);
    free(data);
    free(record);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_keys),
        TEST(test_written_and_found),
        TEST(test_who_is_first_wins),
        TEST(test_abort_and_empty),
        TEST(test_mappings_outlive_everything),
        TEST(test_writing_through_a_mapping),
        TEST(test_what_spoils_an_entry),
        TEST(test_every_byte_of_a_record_counts),
        TEST(test_after_another_boot),
        TEST(test_a_directory_in_its_place),
        TEST(test_in_use_when_spoiled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
