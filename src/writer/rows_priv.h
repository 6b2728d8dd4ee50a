/* What the parts of the rows' store share; the interface is rows.h. */
#ifndef SHF_WRITER_ROWS_PRIV_H
#define SHF_WRITER_ROWS_PRIV_H

#include "writer/rows.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#define SHF_ROWS_MAX_RUNS 256u
#define SHF_ROWS_LEVELS 16u             /* 64^16 runs are more than there can be */
#define SHF_ROWS_SLICE_BYTES (8u << 20) /* what a task handles before others get their turn: some milliseconds */
#define SHF_ROWS_FIRST_KEY_BYTES 256u   /* of the prefix that all keys have in common no more is looked for */

/* ---- a packed row (rows_pack.c): head [extra] vector key value id payload, padded to 8 bytes ---- */

enum { SHF_ROWS_EXTRA = 1, SHF_ROWS_ID_IS_KEY = 2, SHF_ROWS_ID_IS_TEXT = 4, SHF_ROWS_PAYLOAD = 8 };

struct shf_rows_head {
    uint64_t order; /* of adding, in the upper 56 bits; flags below, which can not change the order of two rows */
    uint64_t hash, origin;
    uint32_t key_size, value_size;
};
struct shf_rows_extra {
    uint32_t id_text_size, payload_size;
    int64_t id_integer;
};
struct shf_rows_key {
    const uint8_t *at;
    uint32_t size;
};

static inline struct shf_rows_head shf_rows_head_of(const uint8_t *packed) {
    struct shf_rows_head head;
    memcpy(&head, packed, sizeof head);
    return head;
}
static inline struct shf_rows_key shf_rows_key_of(const uint8_t *packed, uint32_t vector_size) {
    struct shf_rows_head head = shf_rows_head_of(packed);
    size_t extra = head.order & SHF_ROWS_EXTRA ? sizeof(struct shf_rows_extra) : 0;
    return (struct shf_rows_key){packed + sizeof head + extra + vector_size, head.key_size};
}
/* Eight bytes of the key from `depth` <= its size on, as a number that compares like them; zeros after its end. */
uint64_t shf_rows_word(struct shf_rows_key key, uint32_t depth);
/* As memcmp, then by length; both have the same first `depth` bytes. */
int shf_rows_key_compare(struct shf_rows_key a, struct shf_rows_key b, uint32_t depth);

uint64_t shf_rows_packed_size(const struct shf_rows_row *row, uint32_t vector_size);
uint64_t shf_rows_size_of(const uint8_t *packed, uint32_t vector_size);
void shf_rows_pack(const struct shf_rows_row *row, uint32_t vector_size, uint64_t order, uint8_t *out);
void shf_rows_unpack(const uint8_t *packed, uint32_t vector_size, struct shf_rows_row *out);
/* In how many of the page sizes, from the smallest on, the row does not stay in its cell. */
uint32_t shf_rows_misfits(uint64_t key_size, uint64_t value_size);
/* Bytes of what the caller gave. */
uint64_t shf_rows_given_bytes(const struct shf_rows_row *row, uint32_t vector_size);

/* ---- blocks (rows_block.c): rows from the front, entries from the end ---- */

/* In a block: one a row. As a section of a run: word = offset of the shard's first row, place unused. */
struct shf_rows_entry {
    uint64_t word;
    uint32_t shard;
    uint32_t place; /* offset / 8, then misfits in the lowest 3 bits: orders like the offset */
};

enum shf_rows_block_state {
    SHF_ROWS_UNMAPPED,
    SHF_ROWS_FREE,
    SHF_ROWS_FILLING,
    SHF_ROWS_FULL, /* number of shards not known yet: not sorted, in the order of adding */
    SHF_ROWS_SORTING,
    SHF_ROWS_SORTED,
    SHF_ROWS_SPILLING
};

struct shf_rows_block {
    struct shf_task task; /* sorts it */
    struct shf_rows *rows;
    enum shf_rows_block_state state; /* under rows->mutex */
    uint8_t *memory;
    size_t size;     /* mapped and charged */
    size_t used;     /* bytes of packed rows */
    size_t count;    /* rows */
    size_t placed;   /* entries whose shard is known, with options.place */
    uint32_t common; /* bytes that all keys begin with */
    const uint8_t *first_key;
    uint64_t age; /* smaller: closed earlier */
};

static inline struct shf_rows_entry *shf_rows_entries(const struct shf_rows_block *block) {
    return (struct shf_rows_entry *)(void *)(block->memory + block->size) - block->count;
}
static inline const uint8_t *shf_rows_at(const uint8_t *memory, uint32_t place) {
    return memory + (size_t)(place >> 3) * 8;
}

size_t shf_rows_buffer_size(uint64_t memory_bytes);
size_t shf_rows_block_size(uint64_t memory_bytes);
/* Charges and maps. SHF_E_NO_MEMORY. */
shf_status shf_rows_block_map(struct shf_rows_block *block, size_t size, struct shf_error **error);
void shf_rows_block_unmap(struct shf_rows_block *block); /* fine when it is not mapped; `state` is the caller's */
bool shf_rows_block_takes(const struct shf_rows_block *block, uint64_t packed_size);
/* Room for a row, to be written there, and its entry. The block must take it. */
uint8_t *shf_rows_block_place(struct shf_rows_block *block, uint64_t packed_size, uint64_t hash, uint32_t misfits);
/* After the row is written: what its key has in common with the others. */
void shf_rows_block_common(struct shf_rows_block *block, struct shf_rows_key key);
/* With options.place: gives some rows their shard; true when all have one. */
bool shf_rows_block_place_some(struct shf_rows_block *block);
/* Sorts by (shard, key, order of adding). */
void shf_rows_block_sort(struct shf_rows_block *block);
/* rows_sort.c. All keys have the first `common` bytes in common; words need not be set. */
void shf_rows_sort(const uint8_t *memory, uint32_t vector_size, struct shf_rows_entry *entries, size_t count,
                   uint32_t common);

/* ---- runs (rows_run.c) ---- */

struct shf_rows_run {
    struct shf_rows_run *next;
    uint8_t *memory; /* mapped file, read-only */
    size_t size;     /* of the mapping: rows, then the sections of non-empty shards in ascending order */
    uint64_t rows_end;
    uint32_t section_count; /* 0: rows in the order of adding, of any shard */
    uint32_t level;
    atomic_uint_least64_t touched; /* bytes that short sections brought into the process's memory */
};

struct shf_rows_entry shf_rows_run_section(const struct shf_rows_run *run, uint32_t index);
/* Where the section ends. */
uint64_t shf_rows_run_section_end(const struct shf_rows_run *run, uint32_t index);
/* Index of the first section whose shard is not below. */
uint32_t shf_rows_run_find(const struct shf_rows_run *run, uint32_t shard);
/*
 * Bytes [from, to), from a page's beginning, leave the process's memory. Who reads them again gets them from the file: views
 * stay valid.
 */
void shf_rows_run_drop(const struct shf_rows_run *run, uint64_t from, uint64_t to);
void shf_rows_run_free(struct shf_rows_run *run); /* NULL is fine */

/* A run while it is written. */
struct shf_rows_file {
    struct shf_rows *rows;
    int fd; /* -1: none */
    uint64_t size;
    uint8_t *buffer; /* of rows->buffer_size bytes; NULL: what is appended is written at once */
    size_t filled;
};
shf_status shf_rows_file_open(struct shf_rows_file *file, struct shf_rows *rows, uint8_t *buffer,
                              struct shf_error **error);
shf_status shf_rows_file_append(struct shf_rows_file *file, const void *data, size_t size, struct shf_error **error);
/* Ends writing and maps. The file is closed in any case. */
shf_status shf_rows_file_finish(struct shf_rows_file *file, const struct shf_rows_entry *sections,
                                uint32_t section_count, struct shf_rows_run **out, struct shf_error **error);
void shf_rows_file_drop(struct shf_rows_file *file);

/* ---- merging (rows_tree.c): a tree of losers over blocks and runs ---- */

struct shf_rows_source {
    const uint8_t *row; /* the smallest that is left; NULL: none */
    uint64_t word;      /* of its key */
    uint32_t shard;
    const uint8_t *memory;
    /* block */
    const struct shf_rows_entry *next, *end;
    /* run: sections [section, section_last) */
    struct shf_rows_run *run;
    uint32_t section, section_last;
    uint64_t at, section_end; /* of the next row */
    uint64_t dropped;         /* pages before this were told to leave the process's memory */
};

struct shf_rows_tree {
    struct shf_rows_source *sources;
    uint32_t *losers; /* [0] is the winner */
    uint32_t count, limit;
    uint32_t depth; /* all keys have so many bytes in common */
    uint32_t vector_size;
    struct shf_budget *budget;
    uint64_t charged;
};
shf_status shf_rows_tree_init(struct shf_rows_tree *tree, const struct shf_rows *rows, uint32_t limit, uint32_t depth,
                              struct shf_error **error);
/* At most `limit` sources; shard UINT32_MAX: all that the run has. A source without rows is not taken. */
void shf_rows_tree_add_run(struct shf_rows_tree *tree, struct shf_rows_run *run, uint32_t shard);
void shf_rows_tree_add_block(struct shf_rows_tree *tree, const struct shf_rows_block *block, uint32_t shard);
void shf_rows_tree_start(struct shf_rows_tree *tree);
/* The source whose row is the smallest; NULL: all are at their end. */
static inline struct shf_rows_source *shf_rows_tree_top(const struct shf_rows_tree *tree) {
    struct shf_rows_source *winner = tree->count ? &tree->sources[tree->losers[0]] : NULL;
    return winner && winner->row ? winner : NULL;
}
void shf_rows_tree_pop(struct shf_rows_tree *tree);
void shf_rows_tree_free(struct shf_rows_tree *tree);

/* ---- the store ---- */

struct shf_rows_spill {
    struct shf_task task;
    struct shf_rows_block *block; /* NULL: no spill under way */
    struct shf_rows_file file;
    bool is_raw;            /* in the order of adding, appended to rows->raw_file */
    size_t next;            /* row, or byte of a raw block */
    uint32_t section_count; /* in the place of entries that are written already */
};
struct shf_rows_level_merge {
    struct shf_task task;
    struct shf_rows_run *inputs; /* NULL: none under way */
    struct shf_rows_tree tree;
    struct shf_rows_file file;
    struct shf_rows_entry *sections;
    uint32_t section_count, section_limit, level;
};
/* Gives shards to rows that were spilled before the number of shards was known. */
struct shf_rows_distribution {
    struct shf_task task;
    bool is_started, is_over;
    uint64_t at; /* in the first of raw_runs */
};

struct shf_rows {
    struct shf_rows_options options;
    struct shf_budget *budget;
    uint32_t vector_size;
    size_t block_size, buffer_size;
    struct shf_rows_block buffers; /* for the spill, and for the merge of runs: mapped from the start, so that full blocks
                                      can be written whatever else needs memory */
    _Atomic(const struct shf_cancel *) cancel; /* while finishing */
    atomic_bool is_ended;                      /* failed or stopped: tasks look at it */
    atomic_uint_least64_t row_count, given_bytes, spilled_bytes;

    pthread_mutex_t adding; /* taken before `mutex` */
    struct shf_rows_block *current;
    uint64_t next_order;

    pthread_mutex_t mutex; /* everything below; what blocks and runs hold belongs to the task that works on them */
    struct shf_rows_block *blocks;
    struct shf_rows_block big; /* for a row that is larger than a block */
    uint32_t block_count, block_limit, mapped_count, free_count;
    uint32_t num_dbs; /* written before finish only where it was unknown */
    uint64_t next_age;
    struct shf_rows_run *runs;
    uint32_t level_counts[SHF_ROWS_LEVELS], run_count;
    struct shf_rows_run *raw_runs;
    struct shf_rows_file raw_file; /* of the spill under way, then of the distribution */
    struct shf_rows_spill spill;
    struct shf_rows_level_merge merge;
    struct shf_rows_distribution distribution;
    struct shf_task room_task;
    bool was_full;   /* once no block was free for a row */
    bool is_waiting; /* somebody was told SHF_E_BUSY */
    bool is_room;    /* a block became free since */
    bool room_posted;
    bool is_finishing, is_finished;
    uint32_t active; /* tasks posted and not ended */
    uint32_t common; /* of all keys in closed blocks */
    bool has_first_key;
    uint8_t first_key[SHF_ROWS_FIRST_KEY_BYTES];
    shf_status status;
    struct shf_error *error;
    void *done_context;
    void (*done)(void *context, shf_status status, struct shf_error *error);
    void *stopped_context;
    void (*stopped)(void *context);

    pthread_mutex_t sums_mutex;
    struct shf_rows_shard *shards; /* num_dbs; charged */
};

/* rows.c */
shf_status shf_rows_shards_new(struct shf_rows *rows, uint32_t num_dbs, struct shf_error **error);
/* adding held. SHF_E_BUSY (no error object) when no block is free: is_waiting was set. */
shf_status shf_rows_space(struct shf_rows *rows, uint64_t packed_size, struct shf_rows_block **out,
                          struct shf_error **error);
void shf_rows_close_current(struct shf_rows *rows); /* adding and mutex held */
/* After the row was written to `block`; adding held. */
void shf_rows_placed(struct shf_rows *rows, struct shf_rows_block *block, const uint8_t *packed);

/* rows_tasks.c */
/* Takes the error. The first failure is the store's. */
void shf_rows_fail(struct shf_rows *rows, shf_status status, struct shf_error *error);
bool shf_rows_can_map(const struct shf_rows *rows); /* mutex held */
void shf_rows_schedule(struct shf_rows *rows);      /* mutex held: starts what there is to do */
/* mutex held by the caller; unlocks. With nothing under way finish and stop are told: then rows may be gone. */
void shf_rows_settle(struct shf_rows *rows);
void shf_rows_task_end(struct shf_rows *rows);
/* True, and the store has failed, when a task has to end early. */
bool shf_rows_should_end(struct shf_rows *rows);
/* mutex held. No more rows go to it: it is sorted, when the shards are known. */
void shf_rows_block_close(struct shf_rows_block *block);
void shf_rows_block_post(struct shf_rows_block *block); /* mutex held: sort it */
void shf_rows_tasks_init(struct shf_rows *rows);

/* rows_spill.c, rows_level.c, rows_distribute.c */
void shf_rows_spill_run(struct shf_task *task);
struct shf_rows_block *shf_rows_spill_choose(struct shf_rows *rows); /* mutex held; NULL: none */
void shf_rows_level_run(struct shf_task *task);
bool shf_rows_level_choose(struct shf_rows *rows); /* mutex held */
void shf_rows_level_drop(struct shf_rows *rows);
void shf_rows_distribute_run(struct shf_task *task);
void shf_rows_add_run(struct shf_rows *rows, struct shf_rows_run *run); /* mutex held */

#endif
