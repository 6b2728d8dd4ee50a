/* Giving out the pages of a database, and handing them to the sink. */
#include "formats/sqlite_build.h"

#include "base/alloc.h"

#define LOCK_BYTE (UINT32_C(1) << 30)
#define FIRST_LIST_BYTES 512u

/* ---- runs of pages ---- */

shf_status shf_page_writer_flush(struct shf_page_writer *writer, struct shf_error **error) {
    uint32_t count = writer->count;
    writer->count = 0;
    return count ? writer->sink->write(writer->sink, writer->first, writer->buffer, count, error) : SHF_OK;
}

shf_status shf_page_writer_page(struct shf_page_writer *writer, uint32_t number, uint8_t **out, struct shf_error **error) {
    if (writer->count == writer->capacity || (writer->count && number != writer->first + writer->count)) {
        shf_status status = shf_page_writer_flush(writer, error);
        if (status) return status;
    }
    if (writer->count == 0) writer->first = number;
    *out = writer->buffer + (size_t)writer->count++ * writer->page_size;
    return SHF_OK;
}

/* ---- the file ---- */

shf_status shf_sqlite_build_alloc(struct shf_sqlite_build *build, size_t size, uint8_t **out, struct shf_error **error) {
    *out = shf_arena_alloc(&build->arena, size, 1);
    return *out ? SHF_OK : shf_arena_refuse(&build->arena, "building a database", error);
}

shf_status shf_sqlite_build_writer(struct shf_sqlite_build *build, struct shf_page_writer *out, struct shf_error **error) {
    uint8_t *buffer;
    shf_status status = shf_sqlite_build_alloc(build, SHF_BUILD_BUFFER_BYTES, &buffer, error);
    if (status) return status;
    *out = (struct shf_page_writer){
        .sink = build->writer.sink,
        .buffer = buffer,
        .page_size = build->page_size,
        .capacity = SHF_BUILD_BUFFER_BYTES / build->page_size,
    };
    return SHF_OK;
}

shf_status shf_sqlite_build_begin(struct shf_sqlite_build *build, uint32_t page_size, struct shf_page_sink *sink,
                                  struct shf_budget *budget, struct shf_error **error) {
    if (page_size < 512 || page_size > 65536 || (page_size & (page_size - 1)) != 0) {
        return shf_error_set(error, SHF_E_INVALID, "page size %u: it must be a power of two from 512 to 65536",
                             page_size);
    }
    *build = (struct shf_sqlite_build){
        .page_size = page_size,
        .next_page = 2,
        .lock_page = LOCK_BYTE / page_size + 1,
        .local_max_table = page_size - 35,
        .local_max_index = (page_size - 12) * 64 / 255 - 23,
        .local_min = (page_size - 12) * 32 / 255 - 23,
        .budget = budget,
        .arena = {.budget = budget},
        .writer = {.sink = sink},
    };
    shf_status status = shf_sqlite_build_list_interior(build, 1, error);
    if (!status) status = shf_sqlite_build_writer(build, &build->writer, error);
    if (status) shf_sqlite_build_free(build);
    return status;
}

void shf_sqlite_build_free(struct shf_sqlite_build *build) {
    shf_arena_free(&build->arena);
    shf_budget_give(build->budget, build->interior_capacity * sizeof *build->interior);
    shf_budget_give(build->budget, build->chain_capacity * sizeof *build->chains);
    shf_free(build->interior);
    shf_free(build->chains);
    build->interior = NULL;
    build->chains = NULL;
    build->interior_capacity = build->chain_capacity = 0;
}

static shf_status too_large(const struct shf_sqlite_build *build, struct shf_error **error) {
    return shf_error_set(error, SHF_E_LIMIT,
                         "the database would have more than %u pages of %u bytes; use more shards or larger pages",
                         SHF_BUILD_MAX_PAGE, build->page_size);
}

shf_status shf_sqlite_build_page(struct shf_sqlite_build *build, uint32_t *number, uint8_t **bytes,
                                 struct shf_error **error) {
    if (build->next_page == build->lock_page) build->next_page++;
    if (build->next_page > SHF_BUILD_MAX_PAGE) return too_large(build, error);
    *number = build->next_page++;
    return shf_page_writer_page(&build->writer, *number, bytes, error);
}

/* Makes room for one more; the charge of both copies stands while there are two. */
static shf_status grow(struct shf_budget *budget, void **list, size_t item_size, size_t *capacity,
                       struct shf_error **error) {
    size_t old_bytes = *capacity * item_size, bytes = old_bytes ? 2 * old_bytes : FIRST_LIST_BYTES;
    if (!shf_budget_take(budget, bytes)) return shf_budget_refuse(budget, bytes, "the pages of a sidecar", error);
    void *grown = shf_realloc_array(*list, bytes, 1);
    if (!grown) {
        shf_budget_give(budget, bytes);
        return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for the pages of a sidecar");
    }
    shf_budget_give(budget, old_bytes);
    *list = grown;
    *capacity = bytes / item_size;
    return SHF_OK;
}

shf_status shf_sqlite_build_list_interior(struct shf_sqlite_build *build, uint32_t number, struct shf_error **error) {
    if (build->interior_count == build->interior_capacity) {
        void *list = build->interior;
        shf_status status = grow(build->budget, &list, sizeof *build->interior, &build->interior_capacity, error);
        if (status) return status;
        build->interior = list;
    }
    build->interior[build->interior_count++] = number;
    return SHF_OK;
}

shf_status shf_sqlite_build_reserve(struct shf_sqlite_build *build, uint32_t count, uint32_t *head,
                                    struct shf_error **error) {
    if (build->next_page == build->lock_page) build->next_page++;
    uint64_t first = build->next_page, end = first + count;
    if (first < build->lock_page && end > build->lock_page) end++;
    if (end > (uint64_t)SHF_BUILD_MAX_PAGE + 1) return too_large(build, error);
    if (build->chain_count == build->chain_capacity) {
        void *list = build->chains;
        shf_status status = grow(build->budget, &list, sizeof *build->chains, &build->chain_capacity, error);
        if (status) return status;
        build->chains = list;
    }
    *head = build->next_page;
    build->chains[build->chain_count++] = (struct shf_page_chain){*head, count};
    build->next_page = (uint32_t)end;
    return SHF_OK;
}
