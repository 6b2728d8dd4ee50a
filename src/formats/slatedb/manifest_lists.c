/* The lists of a manifest: SSTs of other databases, the dictionary of version 2, L0, runs. */
#include "formats/slatedb/manifest_priv.h"

#include "base/alloc.h"

#include <inttypes.h>
#include <stdlib.h>

/* Slots of the tables, in both versions. */
enum { ULID_HIGH, ULID_LOW };
enum { SST_ID, SST_INFO };
enum { V1_VISIBLE_RANGE = 2, V1_FORMAT_VERSION = 3, V2_FORMAT_VERSION = 2 };
enum { VIEW_SST_ID = 1, VIEW_VISIBLE_RANGE = 2 };
enum { RUN_ID, RUN_SSTS };
enum { START_BOUND, END_BOUND };
enum { BOUND_KEY, BOUND_TYPE };
enum { EXTERNAL_SST_IDS = 3 };

#define LEAST_CAPACITY 16u

shf_status shf_manifest_refuse_count(const char *what, uint64_t count, struct shf_error **error) {
    return shf_error_set(error, SHF_E_LIMIT, "manifest: %" PRIu64 " %s; at most %u are read", count, what,
                         SHF_LIMIT_SLATEDB_SSTS);
}

/* Room for `more` elements behind `count`, within the limit. */
static shf_status make_room(void **array, uint32_t *capacity, uint32_t count, uint32_t more, size_t element_size,
                            const char *what, struct shf_error **error) {
    uint64_t needed = (uint64_t)count + more;
    if (needed > SHF_LIMIT_SLATEDB_SSTS) return shf_manifest_refuse_count(what, needed, error);
    if (needed <= *capacity) return SHF_OK;
    uint64_t wanted = *capacity < LEAST_CAPACITY ? LEAST_CAPACITY : (uint64_t)*capacity * 2;
    if (wanted < needed) wanted = needed;
    void *larger = shf_realloc_array(*array, (size_t)wanted, element_size);
    if (!larger) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for the lists of a manifest");
    *array = larger;
    *capacity = (uint32_t)wanted;
    return SHF_OK;
}

static struct shf_slatedb_ulid read_ulid(const struct shf_flat_table *table) {
    struct shf_slatedb_ulid ulid = {shf_flat_u64(table, ULID_HIGH), shf_flat_u64(table, ULID_LOW)};
    return ulid;
}

/* ---- external databases ---- */

static int compare_ulids(const void *a, const void *b) {
    const struct shf_slatedb_ulid *left = a, *right = b;
    return shf_slatedb_ulid_compare(*left, *right);
}

shf_status shf_manifest_read_external(struct shf_manifest_lists *lists, const struct shf_flat_vector *databases,
                                      struct shf_error **error) {
    uint32_t capacity = 0;
    struct shf_flat_table database, id;
    struct shf_flat_vector ids;
    if (databases->count > SHF_LIMIT_SLATEDB_SSTS) {
        return shf_manifest_refuse_count("external databases", databases->count, error);
    }
    for (uint32_t i = 0; i < databases->count; i++) {
        if (!shf_flat_table_at(databases, i, &database)) break;
        (void)shf_flat_tables(&database, EXTERNAL_SST_IDS, &ids);
        void *array = lists->external;
        shf_status status = make_room(&array, &capacity, lists->external_count, ids.count, sizeof *lists->external,
                                      "SSTs of other databases", error);
        if (status) return status;
        lists->external = array;
        for (uint32_t at = 0; at < ids.count && shf_flat_table_at(&ids, at, &id); at++) {
            lists->external[lists->external_count++] = read_ulid(&id);
        }
    }
    if (lists->external_count) qsort(lists->external, lists->external_count, sizeof *lists->external, compare_ulids);
    return shf_flat_status(&lists->flat, "manifest: external databases", SHF_MANIFEST_CONTENT, error);
}

static shf_status refuse_external(const struct shf_manifest_lists *lists, struct shf_slatedb_ulid id,
                                  struct shf_error **error) {
    char text[SHF_SLATEDB_ULID_DIGITS + 1];
    if (lists->external_count == 0) return SHF_OK;
    if (!bsearch(&id, lists->external, lists->external_count, sizeof id, compare_ulids)) return SHF_OK;
    shf_slatedb_ulid_format(id, text);
    return shf_error_set(error, SHF_E_UNSUPPORTED,
                         "manifest: SST %s lies in another database (this one is a clone), which is not supported", text);
}

/* ---- SSTs ---- */

static shf_status read_bound(const struct shf_flat_table *range, unsigned slot, struct shf_slatedb_bound *out,
                             struct shf_error **error) {
    struct shf_flat_table bound;
    struct shf_slatedb_bytes key;
    (void)shf_flat_table(range, slot, &bound);
    uint8_t kind = shf_flat_u8(&bound, BOUND_TYPE);
    bool has_key = shf_flat_bytes(&bound, BOUND_KEY, &key.data, &key.size);
    if (kind < SHF_SLATEDB_UNBOUNDED || kind > SHF_SLATEDB_EXCLUDED || (kind != SHF_SLATEDB_UNBOUNDED && !has_key)) {
        return shf_error_set(error, SHF_E_CORRUPT, "manifest: a visible range has a bound of kind %u %s a key", kind,
                             has_key ? "with" : "without");
    }
    out->kind = (enum shf_slatedb_bound_kind)kind;
    out->key = key;
    return SHF_OK;
}

/* The optional visible range of an SST or a view. */
static shf_status read_range(const struct shf_flat_table *table, unsigned slot, struct shf_slatedb_sst *sst,
                             struct shf_error **error) {
    struct shf_flat_table range;
    sst->from.kind = sst->to.kind = SHF_SLATEDB_UNBOUNDED;
    if (!shf_flat_table(table, slot, &range)) return SHF_OK;
    shf_status status = read_bound(&range, START_BOUND, &sst->from, error);
    return status ? status : read_bound(&range, END_BOUND, &sst->to, error);
}

static shf_status read_sst(struct shf_manifest_lists *lists, const struct shf_flat_table *table, unsigned version_slot,
                           struct shf_slatedb_sst *out, struct shf_error **error) {
    struct shf_flat_table id, info;
    char what[64] = "manifest: SST ";
    if (!shf_flat_table(table, SST_ID, &id) && !lists->flat.failure) {
        return shf_error_set(error, SHF_E_CORRUPT, "manifest: an SST has no id");
    }
    out->id = read_ulid(&id);
    shf_slatedb_ulid_format(out->id, what + strlen(what));
    uint16_t version = shf_flat_u16(table, version_slot, 1);
    (void)shf_flat_table(table, SST_INFO, &info);
    shf_status status = shf_flat_status(&lists->flat, what, SHF_MANIFEST_CONTENT, error);
    return status ? status : shf_slatedb_info_decode(&info, version, UINT64_MAX, what, &out->info, error);
}

static int compare_ssts(const void *a, const void *b) {
    const struct shf_slatedb_sst *left = a, *right = b;
    return shf_slatedb_ulid_compare(left->id, right->id);
}

shf_status shf_manifest_read_dictionary(struct shf_manifest_lists *lists, const struct shf_flat_vector *ssts,
                                        struct shf_error **error) {
    struct shf_flat_table table;
    if (ssts->count > SHF_LIMIT_SLATEDB_SSTS) return shf_manifest_refuse_count("SSTs", ssts->count, error);
    if (ssts->count == 0) return SHF_OK;
    lists->dictionary = shf_alloc_zero(ssts->count, sizeof *lists->dictionary);
    if (!lists->dictionary) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for the lists of a manifest");
    for (uint32_t i = 0; i < ssts->count; i++) {
        if (!shf_flat_table_at(ssts, i, &table)) break;
        shf_status status = read_sst(lists, &table, V2_FORMAT_VERSION, &lists->dictionary[i], error);
        if (status) return status;
    }
    qsort(lists->dictionary, ssts->count, sizeof *lists->dictionary, compare_ssts);
    for (uint32_t i = 1; i < ssts->count; i++) {
        if (compare_ssts(&lists->dictionary[i - 1], &lists->dictionary[i]) != 0) continue;
        return shf_error_set(error, SHF_E_CORRUPT, "manifest: two SSTs have the same id");
    }
    lists->dictionary_count = ssts->count;
    return shf_flat_status(&lists->flat, "manifest: SSTs", SHF_MANIFEST_CONTENT, error);
}

static shf_status read_view(struct shf_manifest_lists *lists, const struct shf_flat_table *table,
                            struct shf_slatedb_sst *out, struct shf_error **error) {
    struct shf_flat_table id;
    struct shf_slatedb_sst wanted = {0};
    char text[SHF_SLATEDB_ULID_DIGITS + 1];
    (void)shf_flat_table(table, VIEW_SST_ID, &id);
    wanted.id = read_ulid(&id);
    shf_status status = shf_flat_status(&lists->flat, "manifest: a view of an SST", SHF_MANIFEST_CONTENT, error);
    if (status) return status;
    const struct shf_slatedb_sst *sst = NULL;
    if (lists->dictionary_count) {
        sst = bsearch(&wanted, lists->dictionary, lists->dictionary_count, sizeof wanted, compare_ssts);
    }
    if (!sst) {
        shf_slatedb_ulid_format(wanted.id, text);
        return shf_error_set(error, SHF_E_CORRUPT, "manifest: a list has SST %s, which the manifest does not describe",
                             text);
    }
    *out = *sst;
    return read_range(table, VIEW_VISIBLE_RANGE, out, error);
}

/* Adds the SSTs of one list. */
static shf_status read_list(struct shf_manifest_lists *lists, const struct shf_flat_vector *vector, uint32_t *first,
                            struct shf_error **error) {
    struct shf_slatedb_manifest *m = lists->manifest;
    struct shf_flat_table table;
    void *array = m->ssts;
    shf_status status =
        make_room(&array, &lists->sst_capacity, m->sst_count, vector->count, sizeof *m->ssts, "places of SSTs", error);
    if (status) return status;
    m->ssts = array;
    *first = m->sst_count;
    for (uint32_t i = 0; i < vector->count && !status; i++) {
        if (!shf_flat_table_at(vector, i, &table)) break;
        struct shf_slatedb_sst *sst = &m->ssts[m->sst_count];
        *sst = (struct shf_slatedb_sst){0};
        if (m->version == 1) {
            status = read_sst(lists, &table, V1_FORMAT_VERSION, sst, error);
            if (!status) status = read_range(&table, V1_VISIBLE_RANGE, sst, error);
        } else {
            status = read_view(lists, &table, sst, error);
        }
        if (!status) status = refuse_external(lists, sst->id, error);
        m->sst_count++;
    }
    return status ? status : shf_flat_status(&lists->flat, "manifest: a list of SSTs", SHF_MANIFEST_CONTENT, error);
}

shf_status shf_manifest_read_l0(struct shf_manifest_lists *lists, const struct shf_flat_vector *l0,
                                struct shf_slatedb_segment *segment, struct shf_error **error) {
    shf_status status = read_list(lists, l0, &segment->l0_first, error);
    segment->l0_count = l0->count;
    return status;
}

/* ---- runs ---- */

/* That lookups may search it: first keys ascend, and only the last key of one may be the first of the next. */
static shf_status check_run(const struct shf_slatedb_manifest *m, const struct shf_slatedb_run *run,
                            struct shf_error **error) {
    for (uint32_t i = 0; i < run->count; i++) {
        const struct shf_slatedb_info *info = &m->ssts[run->first + i].info;
        const struct shf_slatedb_info *before = i ? &m->ssts[run->first + i - 1].info : NULL;
        bool is_sound = info->has_first_key;
        if (is_sound && before) {
            is_sound = shf_slatedb_compare(before->first_key, info->first_key) <= 0 &&
                       (!before->has_last_key || shf_slatedb_compare(before->last_key, info->first_key) <= 0);
        }
        if (is_sound) continue;
        return shf_error_set(error, SHF_E_CORRUPT, "manifest: run %" PRIu32 ": its SST %" PRIu32 " is out of order",
                             run->id, i);
    }
    return SHF_OK;
}

shf_status shf_manifest_read_runs(struct shf_manifest_lists *lists, const struct shf_flat_vector *runs,
                                  struct shf_slatedb_segment *segment, struct shf_error **error) {
    struct shf_slatedb_manifest *m = lists->manifest;
    struct shf_flat_table table;
    struct shf_flat_vector ssts;
    void *array = m->runs;
    shf_status status =
        make_room(&array, &lists->run_capacity, m->run_count, runs->count, sizeof *m->runs, "sorted runs", error);
    if (status) return status;
    m->runs = array;
    segment->run_first = m->run_count;
    segment->run_count = runs->count;
    for (uint32_t i = 0; i < runs->count && !status; i++) {
        if (!shf_flat_table_at(runs, i, &table)) break;
        struct shf_slatedb_run *run = &m->runs[m->run_count];
        *run = (struct shf_slatedb_run){.id = shf_flat_u32(&table, RUN_ID)};
        (void)shf_flat_tables(&table, RUN_SSTS, &ssts);
        run->count = ssts.count;
        status = read_list(lists, &ssts, &run->first, error);
        if (!status) status = check_run(m, run, error);
        m->run_count++;
    }
    return status ? status : shf_flat_status(&lists->flat, "manifest: sorted runs", SHF_MANIFEST_CONTENT, error);
}
