#include "formats/slatedb/get.h"

void shf_slatedb_get_begin(struct shf_slatedb_get *get, const struct shf_slatedb_manifest *manifest,
                           const struct shf_slatedb_sorted *wal, struct shf_slatedb_bytes key) {
    *get = (struct shf_slatedb_get){.manifest = manifest, .wal = wal, .key = key, .stage = SHF_GET_WAL};
    get->segment = shf_slatedb_manifest_segment(manifest, key);
}

static shf_status end(struct shf_slatedb_get *get, enum shf_slatedb_answer how, enum shf_slatedb_answer *answer) {
    get->stage = SHF_GET_OVER;
    *answer = how;
    return SHF_OK;
}

/* The newest row of the key. */
static shf_status end_with_row(struct shf_slatedb_get *get, enum shf_slatedb_answer *answer, struct shf_error **error) {
    if (get->row.kind == SHF_SLATEDB_MERGE) {
        get->stage = SHF_GET_OVER;
        return shf_error_set(
            error, SHF_E_UNSUPPORTED,
            "the newest row of the key is a merge operand; databases that need a merge operator are not "
            "supported");
    }
    return end(get, get->row.kind == SHF_SLATEDB_TOMBSTONE ? SHF_SLATEDB_ABSENT : SHF_SLATEDB_FOUND, answer);
}

/* The next SST that may hold the key, by what the manifest knows. False: there is none left. */
static bool next_sst(struct shf_slatedb_get *get) {
    const struct shf_slatedb_segment *segment = get->segment;
    if (!segment) return false;
    for (;;) {
        while (get->next_sst < get->sst_end) {
            get->sst = get->next_sst++;
            if (shf_slatedb_sst_may_hold(&get->manifest->ssts[get->sst], get->key)) return true;
        }
        uint32_t list = get->list++;
        if (list == 0) {
            get->next_sst = segment->l0_first;
            get->sst_end = segment->l0_first + segment->l0_count;
        } else if (list - 1 < segment->run_count) {
            shf_slatedb_manifest_run_candidates(get->manifest, &get->manifest->runs[segment->run_first + list - 1],
                                                get->key, &get->next_sst, &get->sst_end);
        } else {
            return false;
        }
    }
}

static bool filter_may_hold(struct shf_slatedb_get *get) {
    if (!get->table->filter.bits) return true;
    if (!get->has_hash) get->hash = shf_slatedb_filter_hash(get->key);
    get->has_hash = true;
    return shf_slatedb_filter_may_hold(&get->table->filter, get->hash);
}

/* The table has come: which blocks are to be looked at. */
static void choose_blocks(struct shf_slatedb_get *get) {
    get->stage = SHF_GET_NEXT_SST;
    if (!filter_may_hold(get)) return;
    shf_slatedb_table_candidates(get->table, get->key, &get->block_number, &get->block_end);
    if (get->block_number < get->block_end) get->stage = SHF_GET_BLOCK;
}

/* The block has come. *hit: the row is in it. */
static shf_status look_at_block(struct shf_slatedb_get *get, bool *hit, struct shf_error **error) {
    enum shf_slatedb_found found;
    shf_status status = shf_slatedb_block_find(get->block, get->key, &found, &get->row, error);
    if (status) return status;
    get->block = NULL;
    *hit = found == SHF_SLATEDB_HERE;
    get->block_number++;
    if (found == SHF_SLATEDB_PASSED || get->block_number == get->block_end) get->stage = SHF_GET_NEXT_SST;
    return SHF_OK;
}

static shf_status need(struct shf_slatedb_get *get, enum shf_slatedb_answer what, enum shf_slatedb_answer *answer) {
    if (what == SHF_SLATEDB_NEEDS_TABLE) {
        shf_slatedb_info_table_range(&get->manifest->ssts[get->sst].info, &get->offset, &get->size);
    } else {
        shf_slatedb_table_block_range(get->table, get->block_number, &get->offset, &get->size);
    }
    *answer = what;
    return SHF_OK;
}

/* One move; *answered: there is something to say. */
static shf_status move(struct shf_slatedb_get *get, bool *answered, enum shf_slatedb_answer *answer,
                       struct shf_error **error) {
    bool hit = false;
    shf_status status = SHF_OK;
    *answered = true;
    switch (get->stage) {
    case SHF_GET_WAL:
        get->stage = SHF_GET_NEXT_SST;
        if (get->wal) status = shf_slatedb_sorted_find(get->wal, get->key, &hit, &get->row, error);
        break;
    case SHF_GET_NEXT_SST:
        if (!next_sst(get)) return end(get, SHF_SLATEDB_ABSENT, answer);
        get->stage = SHF_GET_TABLE;
        get->table = NULL;
        break;
    case SHF_GET_TABLE:
        if (!get->table) return need(get, SHF_SLATEDB_NEEDS_TABLE, answer);
        choose_blocks(get);
        get->block = NULL;
        break;
    case SHF_GET_BLOCK:
        if (!get->block) return need(get, SHF_SLATEDB_NEEDS_BLOCK, answer);
        status = look_at_block(get, &hit, error);
        break;
    case SHF_GET_OVER: return shf_error_set(error, SHF_E_INTERNAL, "a lookup was gone on with after its end");
    }
    if (status || hit) return status ? status : end_with_row(get, answer, error);
    *answered = false;
    return SHF_OK;
}

shf_status shf_slatedb_get_step(struct shf_slatedb_get *get, enum shf_slatedb_answer *answer, struct shf_error **error) {
    bool answered = false;
    shf_status status = SHF_OK;
    while (!status && !answered) status = move(get, &answered, answer, error);
    if (status) get->stage = SHF_GET_OVER;
    return status;
}
