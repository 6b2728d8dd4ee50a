/* A manifest of SlateDB; and names of its objects. What is parsed keeps the promises of its header. */
#include "formats/slatedb/manifest.h"
#include "fuzz_entry.h"

#include <string.h>

static void demand(bool truth) {
    if (!truth) __builtin_trap();
}

static void use_run(const struct shf_slatedb_manifest *m, const struct shf_slatedb_run *run,
                    struct shf_slatedb_bytes key) {
    uint32_t first, end;
    demand(run->first <= m->sst_count && run->count <= m->sst_count - run->first);
    shf_slatedb_manifest_run_candidates(m, run, key, &first, &end);
    for (uint32_t i = 0; i < run->count; i++) {
        const struct shf_slatedb_sst *sst = &m->ssts[run->first + i];
        bool is_candidate = run->first + i >= first && run->first + i < end;
        demand(sst->info.has_first_key);
        if (sst->info.has_last_key && shf_slatedb_sst_may_hold(sst, key)) demand(is_candidate);
    }
}

static void use_key(const struct shf_slatedb_manifest *m, struct shf_slatedb_bytes key) {
    const struct shf_slatedb_segment *found = shf_slatedb_manifest_segment(m, key);
    for (uint32_t i = 0; i < m->segment_count; i++) {
        demand(shf_slatedb_starts_with(key, m->segments[i].prefix) == (found == &m->segments[i]));
    }
    for (uint32_t i = 0; i < m->run_count; i++) use_run(m, &m->runs[i], key);
}

static void use(const struct shf_slatedb_manifest *m) {
    for (uint32_t i = 0; i < m->segment_count; i++) {
        const struct shf_slatedb_segment *s = &m->segments[i];
        demand(s->l0_first <= m->sst_count && s->l0_count <= m->sst_count - s->l0_first);
        demand(s->run_first <= m->run_count && s->run_count <= m->run_count - s->run_first);
        if (i < 16) use_key(m, s->prefix);
    }
    for (uint32_t i = 0; i < m->sst_count; i++) {
        const struct shf_slatedb_sst *sst = &m->ssts[i];
        uint64_t offset, size;
        char text[SHF_SLATEDB_ULID_DIGITS + 1];
        struct shf_slatedb_ulid id;
        shf_slatedb_ulid_format(sst->id, text);
        demand(shf_slatedb_ulid_parse(text, SHF_SLATEDB_ULID_DIGITS, &id) && shf_slatedb_ulid_compare(id, sst->id) == 0);
        shf_slatedb_info_table_range(&sst->info, &offset, &size);
        demand(size > 0 && size <= SHF_LIMIT_SLATEDB_TABLE_BYTES && offset <= INT64_MAX - size);
        if (i < 16) use_key(m, sst->info.first_key);
        if (i < 16) use_key(m, sst->to.key);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct shf_slatedb_manifest *manifest = NULL;
    struct shf_error *error = NULL;
    char name[SHF_SLATEDB_NAME_BYTES];
    struct shf_slatedb_object object = shf_slatedb_name_parse((const char *)data, size);
    if (object.kind != SHF_SLATEDB_OTHER) {
        shf_slatedb_name_format(&object, name);
        demand(strlen(name) == size && memcmp(name, data, size) == 0);
    }
    if (shf_slatedb_manifest_parse(data, size, &manifest, &error)) {
        demand(error && !manifest);
        shf_error_free(error);
        return 0;
    }
    use(manifest);
    shf_slatedb_manifest_free(manifest);
    return 0;
}
