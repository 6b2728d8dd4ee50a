#include "database.h"

#include <dirent.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUDGET (UINT64_C(1) << 30)

/* ---- objects ---- */

static void *copy_exact(const void *bytes, size_t size) {
    uint8_t *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    if (size) memcpy(copy, bytes, size);
    return copy;
}

void database_add(struct database *db, const char *name, const void *bytes, size_t size) {
    db->objects = realloc(db->objects, (db->object_count + 1) * sizeof *db->objects);
    assert_non_null(db->objects);
    db->objects[db->object_count++] = (struct object){strdup(name), copy_exact(bytes, size), size};
}

bool database_load(struct database *db, const char *folder) {
    static const char *const folders[] = {"manifest", "wal", "compacted"};
    char path[4400], name[400];
    bool found = false;
    *db = (struct database){0};
    for (int i = 0; i < 3; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, folders[i]);
        DIR *directory = opendir(path);
        struct dirent *entry;
        if (!directory) continue;
        found = true;
        while ((entry = readdir(directory)) != NULL) {
            size_t size;
            if (entry->d_name[0] == '.') continue;
            (void)snprintf(path, sizeof path, "%s/%s/%s", folder, folders[i], entry->d_name);
            (void)snprintf(name, sizeof name, "%s/%s", folders[i], entry->d_name);
            uint8_t *bytes = load_file(path, &size);
            database_add(db, name, bytes, size);
            free(bytes);
        }
        (void)closedir(directory);
    }
    return found;
}

const struct object *database_object(const struct database *db, const char *name) {
    for (size_t i = 0; i < db->object_count; i++) {
        if (strcmp(db->objects[i].name, name) == 0) return &db->objects[i];
    }
    return NULL;
}

void database_free(struct database *db) {
    if (db->manifest && db->tables) {
        for (uint32_t i = 0; i < db->manifest->sst_count; i++) shf_slatedb_table_free(db->tables[i]);
    }
    free(db->tables);
    shf_slatedb_manifest_free(db->manifest);
    free(db->sorted_bytes);
    for (size_t i = 0; i < db->object_count; i++) {
        free(db->objects[i].name);
        free(db->objects[i].bytes);
    }
    free(db->objects);
    assert_int_equal(atomic_load(&db->budget.used_bytes), 0);
    *db = (struct database){0};
}

/* ---- opening ---- */

static shf_status write_bytes(struct shf_slatedb_sink *base, uint64_t offset, const void *data, size_t size,
                              struct shf_error **error) {
    struct memory_bytes *sink = (struct memory_bytes *)base;
    if (++sink->writes == sink->fail_at) return shf_error_set(error, SHF_E_LOCAL, "the disk is full");
    if (offset + size > sink->size) {
        sink->bytes = realloc(sink->bytes, offset + size + 1);
        assert_non_null(sink->bytes);
        sink->size = offset + size;
    }
    memcpy(sink->bytes + offset, data, size);
    return SHF_OK;
}

void memory_bytes_init(struct memory_bytes *sink) { *sink = (struct memory_bytes){.base = {write_bytes}}; }

static shf_status replay_wal(struct database *db, struct shf_error **error) {
    struct shf_slatedb_replay *replay = NULL;
    struct memory_bytes sink;
    char name[SHF_SLATEDB_NAME_BYTES];
    memory_bytes_init(&sink);
    shf_status status = shf_slatedb_replay_new(db->manifest, &db->budget, &replay, error);
    while (!status) {
        struct shf_slatedb_object wanted = {.kind = SHF_SLATEDB_WAL, .id = shf_slatedb_replay_next_id(replay)};
        shf_slatedb_name_format(&wanted, name);
        const struct object *object = database_object(db, name);
        if (!object) break;
        status = shf_slatedb_replay_add(replay, object->bytes, object->size, error);
    }
    if (!status) status = shf_slatedb_replay_write(replay, &sink.base, error);
    shf_slatedb_replay_free(replay);
    if (!status) {
        db->sorted_bytes = copy_exact(sink.bytes, sink.size);
        db->sorted_size = sink.size;
        status = shf_slatedb_sorted_open(db->sorted_bytes, db->sorted_size, &db->wal, error);
    }
    if (!status) status = shf_slatedb_sorted_verify(&db->wal, error);
    free(sink.bytes);
    return status;
}

shf_status database_open(struct database *db, struct shf_error **error) {
    struct shf_slatedb_object latest = {.kind = SHF_SLATEDB_MANIFEST};
    char name[SHF_SLATEDB_NAME_BYTES];
    shf_budget_init(&db->budget, db->budget_bytes ? db->budget_bytes : BUDGET);
    for (size_t i = 0; i < db->object_count; i++) {
        shf_slatedb_latest_manifest(&latest.id, db->objects[i].name, strlen(db->objects[i].name));
    }
    shf_slatedb_name_format(&latest, name);
    const struct object *object = database_object(db, name);
    if (!object) return shf_error_set(error, SHF_E_NOT_FOUND, "no such database");
    shf_status status = shf_slatedb_manifest_parse(object->bytes, object->size, &db->manifest, error);
    if (status) return status;
    db->tables = calloc(db->manifest->sst_count + 1, sizeof(struct shf_slatedb_table *));
    assert_non_null(db->tables);
    return replay_wal(db, error);
}

/* ---- reading ---- */

static const struct object *object_of(const struct database *db, uint32_t sst) {
    struct shf_slatedb_object wanted = {.kind = SHF_SLATEDB_SST, .ulid = db->manifest->ssts[sst].id};
    char name[SHF_SLATEDB_NAME_BYTES];
    shf_slatedb_name_format(&wanted, name);
    const struct object *object = database_object(db, name);
    if (!object) fail_msg("%s is not there", name);
    return object;
}

/* A copy of just the range, so that ASan sees a read beyond it; NULL: the object ends before. */
static uint8_t *read_range(const struct database *db, uint32_t sst, uint64_t offset, uint64_t size) {
    const struct object *object = object_of(db, sst);
    if (offset > object->size || size > object->size - offset) return NULL;
    return copy_exact(object->bytes + offset, (size_t)size);
}

static shf_status give_table(struct database *db, struct shf_slatedb_get *get, struct shf_error **error) {
    shf_status status = SHF_OK;
    if (!db->tables[get->sst]) {
        uint8_t *bytes = read_range(db, get->sst, get->offset, get->size);
        db->table_reads++;
        if (!bytes) return shf_error_set(error, SHF_E_CORRUPT, "the object is shorter");
        status = shf_slatedb_table_open(&db->manifest->ssts[get->sst].info, bytes, (size_t)get->size, &db->budget,
                                        &db->tables[get->sst], error);
        free(bytes);
    }
    get->table = db->tables[get->sst];
    return status;
}

shf_status database_get(struct database *db, const void *key, size_t key_size, bool *found, uint8_t **value,
                        size_t *value_size, struct shf_error **error) {
    struct shf_slatedb_get get;
    struct shf_slatedb_block block = {0};
    enum shf_slatedb_answer answer = SHF_SLATEDB_ABSENT;
    uint8_t *bytes = NULL;
    uint8_t *exact_key = copy_exact(key, key_size);
    shf_slatedb_get_begin(&get, db->manifest, &db->wal, (struct shf_slatedb_bytes){exact_key, key_size});
    shf_status status = shf_slatedb_get_step(&get, &answer, error);
    while (!status && answer != SHF_SLATEDB_FOUND && answer != SHF_SLATEDB_ABSENT) {
        if (answer == SHF_SLATEDB_NEEDS_TABLE) {
            status = give_table(db, &get, error);
        } else {
            shf_slatedb_block_close(&block);
            free(bytes);
            bytes = read_range(db, get.sst, get.offset, get.size);
            db->block_reads++;
            if (!bytes) {
                status = shf_error_set(error, SHF_E_CORRUPT, "the object is shorter");
                break;
            }
            status = shf_slatedb_block_open(&get.table->info, bytes, (size_t)get.size, get.offset, false, &db->budget,
                                            &block, error);
            get.block = &block;
        }
        if (!status) status = shf_slatedb_get_step(&get, &answer, error);
    }
    if (!status) {
        *found = answer == SHF_SLATEDB_FOUND;
        *value = *found ? copy_exact(get.row.value.data, get.row.value.size) : NULL;
        *value_size = *found ? get.row.value.size : 0;
    }
    shf_slatedb_block_close(&block);
    free(bytes);
    free(exact_key);
    return status;
}

struct objects_source {
    struct shf_slatedb_bytes_source base;
    const struct database *db;
};

static shf_status read_bytes(struct shf_slatedb_bytes_source *base, uint32_t sst, uint64_t offset, uint64_t size,
                             const uint8_t **bytes, struct shf_error **error) {
    const struct object *object = object_of(((struct objects_source *)base)->db, sst);
    if (offset > object->size || size > object->size - offset) {
        return shf_error_set(error, SHF_E_CORRUPT, "the object is shorter");
    }
    *bytes = object->bytes + offset;
    return SHF_OK;
}

shf_status database_scan(struct database *db, scanned_row *row, void *context, struct shf_error **error) {
    struct objects_source source = {{read_bytes}, db};
    struct shf_slatedb_scan *scan;
    struct shf_slatedb_row found;
    bool done = false;
    shf_status status = shf_slatedb_scan_new(db->manifest, &db->wal, &source.base, &db->budget, &scan, error);
    if (status) return status;
    for (;;) {
        status = shf_slatedb_scan_next(scan, &done, &found, error);
        if (status || done) break;
        row(context, &found);
    }
    shf_slatedb_scan_free(scan);
    return status;
}

uint8_t *from_base64(const char *text, size_t *size) {
    size_t length = strlen(text);
    uint8_t *bytes = malloc(length + 1);
    assert_non_null(bytes);
    int got = EVP_DecodeBlock(bytes, (const unsigned char *)text, (int)length);
    assert_true(got >= 0);
    *size = (size_t)got;
    for (size_t i = length; i > 0 && text[i - 1] == '='; i--) --*size;
    uint8_t *exact = copy_exact(bytes, *size);
    free(bytes);
    return exact;
}
