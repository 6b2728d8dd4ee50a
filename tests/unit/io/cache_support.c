#include "cache_support.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

void cache_begin(struct cache_test *test, uint64_t max_bytes) {
    struct shf_error *error = NULL;
    memset(test, 0, sizeof *test);
    test->parent = support_directory();
    test->path = support_path("%s/cache", test->parent);
    test->runtime = support_runtime(NULL, NULL);
    if (shf_disk_cache_open(test->runtime, test->path, max_bytes, &test->cache, &error)) {
        fail_msg("%s", shf_error_message(error));
    }
}

void cache_end(struct cache_test *test) {
    shf_disk_cache_release(test->cache);
    assert_int_equal(support_stats(test->runtime).mapped_bytes, 0);
    support_runtime_free(test->runtime);
    support_remove(test->parent);
    free(test->path);
}

struct shf_cache_key cache_key(const char *name) {
    struct shf_cache_key key;
    const char *const parts[] = {"test", name};
    assert_int_equal(shf_cache_key_make(parts, 2, &key, NULL), SHF_OK);
    return key;
}

char *cache_file_path(const struct cache_test *test, const char *name, bool record) {
    struct shf_cache_names names;
    struct shf_cache_key key = cache_key(name);
    shf_cache_names_make(&key, "shard", &names);
    return support_path("%s/%s", test->path, record ? names.record : names.data);
}

struct shf_mapped_file cache_put(struct cache_test *test, const char *name, const void *data, size_t size) {
    struct shf_cache_writer writer;
    struct shf_cache_key key = cache_key(name);
    struct shf_mapped_file file = {0};
    struct shf_error *error = NULL;
    assert_int_equal(shf_disk_cache_begin(test->cache, &writer, NULL), SHF_OK);
    assert_int_equal(shf_fs_write(writer.fd, data, size, 0), 0);
    shf_status status = shf_disk_cache_commit(&writer, &key, "shard", &file, &error);
    if (status) fail_msg("%s: %s", name, shf_error_message(error));
    assert_non_null(file.buf);
    return file;
}

void cache_put_only(struct cache_test *test, const char *name, const void *data, size_t size) {
    struct shf_mapped_file file = cache_put(test, name, data, size);
    assert_int_equal(file.buf->size, size);
    assert_memory_equal(file.buf->data, data, size);
    shf_buf_release(file.buf);
}

bool cache_find(struct cache_test *test, const char *name, struct shf_mapped_file *out) {
    struct shf_cache_key key = cache_key(name);
    struct shf_error *error = NULL;
    bool found = false;
    shf_status status = shf_disk_cache_find(test->cache, &key, "shard", &found, out, &error);
    if (status) fail_msg("%s: %s", name, shf_error_message(error));
    return found;
}

bool cache_has(struct cache_test *test, const char *name, const void *data, size_t size) {
    struct shf_mapped_file file = {0};
    if (!cache_find(test, name, &file)) return false;
    assert_int_equal(file.buf->size, size);
    assert_memory_equal(file.buf->data, data, size);
    shf_buf_release(file.buf);
    return true;
}

size_t cache_count(const struct cache_test *test, const char *prefix) {
    DIR *directory = opendir(test->path);
    struct dirent *entry;
    size_t count = 0;
    assert_non_null(directory);
    while ((entry = readdir(directory)) != NULL) {
        count += entry->d_name[0] != '.' && strncmp(entry->d_name, prefix, strlen(prefix)) == 0;
    }
    (void)closedir(directory);
    return count;
}
