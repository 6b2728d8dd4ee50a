#include "bench/build_rows.h"

#include "bench/vectors.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define VECTOR_SIZE (BENCH_DIMENSION * sizeof(float))

/* A file, with a zero behind it. */
static char *read_file(const char *data, const char *name, size_t *size) {
    char path[PATH_MAX];
    struct stat status;
    char *bytes = NULL;
    (void)snprintf(path, sizeof path, "%s/%s", data, name);
    FILE *file = fopen(path, "rb");
    if (file && fstat(fileno(file), &status) == 0) {
        *size = (size_t)status.st_size;
        bytes = malloc(*size + 1);
        if (bytes && fread(bytes, 1, *size, file) != *size) {
            free(bytes);
            bytes = NULL;
        }
    }
    if (file) (void)fclose(file);
    if (bytes) bytes[*size] = '\0';
    if (!bytes) fprintf(stderr, "cannot read %s\n", path);
    return bytes;
}

static size_t count_lines(const char *text) {
    size_t count = 0;
    for (; (text = strchr(text, '\n')) != NULL; text++) count++;
    return count;
}

static shf_slice take_line(char **at) {
    size_t size = strcspn(*at, "\n");
    shf_slice line = {*at, size};
    *at += size + ((*at)[size] == '\n');
    return line;
}

bool bench_build_rows_load(struct bench_build_rows *rows, const char *data) {
    size_t keys_size = 0, payloads_size = 0, values_size = 0, vectors_size = 0;
    memset(rows, 0, sizeof *rows);
    rows->keys = read_file(data, "build/keys.txt", &keys_size);
    rows->payloads = read_file(data, "build/payloads.txt", &payloads_size);
    rows->values = read_file(data, "build/values.bin", &values_size);
    rows->vectors = read_file(data, "vectors/vectors.bin", &vectors_size);
    if (!rows->keys || !rows->payloads || !rows->values || !rows->vectors) return false;
    rows->count = vectors_size / VECTOR_SIZE;
    rows->rows = calloc(rows->count + 1, sizeof *rows->rows);
    if (!rows->rows || count_lines(rows->keys) != rows->count || count_lines(rows->payloads) != rows->count ||
        values_size != rows->count * BENCH_BUILD_VALUE_SIZE) {
        fprintf(stderr, "the files of %s/build do not belong to the vectors\n", data);
        return false;
    }
    char *key = rows->keys, *payload = rows->payloads;
    for (size_t i = 0; i < rows->count; i++) {
        shf_slice key_line = take_line(&key);
        shf_row *row = &rows->rows[i];
        SHF_INIT(row);
        row->key = shf_key_from_text(key_line.data, key_line.size);
        row->value = (shf_slice){rows->values + i * BENCH_BUILD_VALUE_SIZE, BENCH_BUILD_VALUE_SIZE};
        row->vector = (const float *)(const void *)(rows->vectors + i * VECTOR_SIZE);
        row->dimension = BENCH_DIMENSION;
        row->payload = take_line(&payload);
    }
    return true;
}

void bench_build_rows_free(struct bench_build_rows *rows) {
    free(rows->rows);
    free(rows->keys);
    free(rows->payloads);
    free(rows->values);
    free(rows->vectors);
    memset(rows, 0, sizeof *rows);
}
