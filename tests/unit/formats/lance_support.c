#include "lance_support.h"

#include "formats/lance/names.h"

#include <dirent.h>
#include <math.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_BYTES 4352

static int compare_names(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void add_name(char ***names, size_t *count, const char *name) {
    *names = realloc(*names, (*count + 1) * sizeof **names);
    assert_non_null(*names);
    (*names)[(*count)++] = strdup(name);
}

static void find_below(const char *root, const char *ending, char ***names, size_t *count) {
    char path[PATH_BYTES];
    struct dirent *entry;
    DIR *directory = opendir(root);
    if (!directory) return;
    while ((entry = readdir(directory)) != NULL) {
        size_t size = strlen(entry->d_name), tail = strlen(ending);
        if (entry->d_name[0] == '.' || entry->d_type != DT_DIR) continue;
        (void)snprintf(path, sizeof path, "%s/%s", root, entry->d_name);
        if (size >= tail && strcmp(entry->d_name + size - tail, ending) == 0) {
            add_name(names, count, path);
        } else {
            find_below(path, ending, names, count);
        }
    }
    (void)closedir(directory);
}

char **find_folders(const char *root, const char *ending, size_t *count) {
    char **names = NULL;
    *count = 0;
    find_below(root, ending, &names, count);
    if (*count) qsort(names, *count, sizeof *names, compare_names);
    return names;
}

static struct lance_file_bytes load(const char *folder, const char *below, const char *name) {
    char path[PATH_BYTES];
    struct lance_file_bytes bytes;
    (void)snprintf(path, sizeof path, "%s/%s/%s", folder, below, name);
    bytes.data = load_file(path, &bytes.size);
    return bytes;
}

static void load_manifest(struct lance_set *set, const char *folder) {
    char path[PATH_BYTES];
    char **names = NULL;
    size_t count = 0;
    uint64_t version;
    struct dirent *entry;
    struct shf_error *error = NULL;
    (void)snprintf(path, sizeof path, "%s/_versions", folder);
    DIR *directory = opendir(path);
    if (!directory) fail_msg("no folder %s", path);
    while ((entry = readdir(directory)) != NULL) add_name(&names, &count, entry->d_name);
    (void)closedir(directory);
    const char *latest = shf_lance_latest_name((const char *const *)names, count, &version);
    assert_non_null(latest);
    set->manifest_bytes = load(folder, "_versions", latest);
    expect_ok(
        shf_lance_manifest_parse(set->manifest_bytes.data, set->manifest_bytes.size, version, &set->manifest, &error),
        error);
    for (size_t i = 0; i < count; i++) free(names[i]);
    free(names);
}

void lance_set_load(struct lance_set *set, const char *folder) {
    memset(set, 0, sizeof *set);
    shf_budget_init(&set->budget, UINT64_C(1) << 30);
    load_manifest(set, folder);
    size_t fragments = set->manifest->fragment_count, files = 0, at = 0;
    for (size_t i = 0; i < fragments; i++) files += set->manifest->fragments[i].file_count + 1;
    set->files = calloc(files + 1, sizeof *set->files);
    set->sources = calloc(files + 1, sizeof *set->sources);
    set->fragments = calloc(fragments + 1, sizeof *set->fragments);
    for (size_t i = 0; i < fragments; i++) {
        const struct shf_lance_fragment *fragment = &set->manifest->fragments[i];
        set->fragments[i].files = &set->sources[at];
        for (size_t file = 0; file < fragment->file_count; file++, at++) {
            set->files[at] = load(folder, "data", fragment->files[file].name);
            set->sources[at] = shf_lance_source_of(set->files[at].data, set->files[at].size);
        }
        if (fragment->has_deletions) {
            char name[SHF_LANCE_NAME_BYTES + 1];
            shf_lance_deletion_name(fragment, name);
            set->files[at] = load(folder, "_deletions", name);
            set->fragments[i].deletions = set->files[at].data;
            set->fragments[i].deletions_size = set->files[at].size;
            at++;
        }
    }
    set->file_count = at;
}

void lance_set_open(struct lance_set *set, const char *folder) {
    struct shf_error *error = NULL;
    lance_set_load(set, folder);
    shf_status status = shf_lance_dataset_open(set->manifest, set->fragments, &set->budget, &set->dataset, &error);
    if (status) print_error("%s\n", folder);
    expect_ok(status, error);
    set->rows = shf_lance_dataset_count(set->dataset);
    set->vectors = malloc(set->rows * set->manifest->dimension * sizeof(float) + 1);
    set->addresses = malloc(set->rows * sizeof *set->addresses + 1);
    status = shf_lance_dataset_read(set->dataset, set->rows, set->vectors, set->addresses, &error);
    if (status) print_error("%s\n", folder);
    expect_ok(status, error);
}

void lance_set_close(struct lance_set *set) {
    shf_lance_dataset_free(set->dataset);
    assert_int_equal(set->budget.used_bytes, 0);
    shf_lance_manifest_free(set->manifest);
    for (size_t i = 0; i < set->file_count; i++) free(set->files[i].data);
    free(set->files);
    free(set->sources);
    free(set->fragments);
    free(set->manifest_bytes.data);
    free(set->vectors);
    free(set->addresses);
    memset(set, 0, sizeof *set);
}

double lance_distance(enum shf_metric metric, const float *query, const float *row, uint32_t dimension) {
    double squares = 0, dot = 0, query_norm = 0, row_norm = 0;
    for (uint32_t i = 0; i < dimension; i++) {
        double q = query[i], r = row[i];
        squares += (q - r) * (q - r);
        dot += q * r;
        query_norm += q * q;
        row_norm += r * r;
    }
    if (metric == SHF_METRIC_L2) return squares;
    if (metric == SHF_METRIC_DOT) return 1 - dot;
    return 1 - dot / (sqrt(query_norm) * sqrt(row_norm));
}

uint8_t *from_base64(const char *text, size_t *size) {
    size_t length = strlen(text);
    uint8_t *bytes = malloc(length / 4 * 3 + 1);
    int got = EVP_DecodeBlock(bytes, (const unsigned char *)text, (int)length);
    assert_true(got >= 0);
    *size = (size_t)got;
    while (length > 0 && text[length - 1] == '=') {
        length--;
        (*size)--;
    }
    return bytes;
}
