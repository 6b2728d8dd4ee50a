/*
 * Expressions that say to which shard a row belongs: the subset of the Common Expression Language (CEL) that the
 * routing of snapshots needs, with the function shard_hash. Pure: text and values in, a value out.
 *
 * An expression is compiled once, against the columns that the snapshot declares, into an immutable object that any
 * number of threads may evaluate at once, each with a scratch of its own. What is not in the subset (dyn, lists of
 * mixed types, type values, timestamps, durations, messages, optionals) is refused when compiled, by name.
 */
#ifndef SHF_FORMATS_CEL_CEL_H
#define SHF_FORMATS_CEL_CEL_H

#include "base/error.h"
#include "shardyfusion/types.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum shf_cel_type {
    SHF_CEL_ABSENT = 0, /* a column that was not given: an error when the expression reads it */
    SHF_CEL_INT,
    SHF_CEL_UINT,
    SHF_CEL_DOUBLE,
    SHF_CEL_BOOL,
    SHF_CEL_STRING, /* valid UTF-8 */
    SHF_CEL_BYTES,
    SHF_CEL_NULL, /* this and the next two are types within expressions; no snapshot has such columns */
    SHF_CEL_LIST,
    SHF_CEL_MAP,
    SHF_CEL_MISFIT, /* a column whose host value does not fit its type: an error when read */
    SHF_CEL_OTHER   /* a result type that use does not tell: the elements of [] */
};
/* "int", "string". Static storage. */
const char *shf_cel_type_name(enum shf_cel_type type);
/* The type that a snapshot calls so (int, uint, double, bool, string, bytes); SHF_CEL_ABSENT for another name. */
enum shf_cel_type shf_cel_type_parse(const char *name);

/* Why a host value does not fit its column. */
enum shf_cel_misfit {
    SHF_CEL_MISFIT_KIND = 1, /* text for an int column, and the like */
    SHF_CEL_MISFIT_RANGE,    /* an integer out of the range of the type */
    SHF_CEL_MISFIT_UTF8      /* text that is not valid UTF-8 */
};

struct shf_cel_value;

/* A list of `count` items, or a map of `count` entries: item 2i is the key, 2i+1 the value of entry i. */
struct shf_cel_list {
    const struct shf_cel_value *items;
    size_t count;
    const uint32_t *table; /* hash table of items or keys: index + 1, 0 = free; NULL = look at them one by one */
    size_t table_size;     /* a power of two */
};

struct shf_cel_value {
    enum shf_cel_type type;
    union {
        int64_t integer;
        uint64_t uinteger;
        double real;
        bool boolean;
        shf_slice text; /* string and bytes */
        const struct shf_cel_list *list;
        enum shf_cel_misfit misfit;
    } as;
};

struct shf_cel_column {
    const char *name;
    enum shf_cel_type type;
    enum shf_cel_type key, element; /* of a map or list: scalars; 0 for other types */
};

struct shf_cel;

/*
 * Compiles against `count` columns (at most SHF_LIMIT_CEL_COLUMNS; names are copied). SHF_E_INVALID for all that is wrong,
 * also too long or nested too deeply: the message names the place (offset in bytes, with the text there) and what to do.
 */
shf_status shf_cel_compile(const char *text, size_t size, const struct shf_cel_column *columns, size_t count,
                           struct shf_cel **out, struct shf_error **error);
void shf_cel_free(struct shf_cel *cel);

enum shf_cel_type shf_cel_result_type(const struct shf_cel *cel);
size_t shf_cel_column_count(const struct shf_cel *cel);
const char *shf_cel_column_name(const struct shf_cel *cel, size_t index);
enum shf_cel_type shf_cel_column_type(const struct shf_cel *cel, size_t index);

/*
 * Memory of evaluations, one thread at a time; begin with shf_cel_scratch_init. Scalars and short texts need no
 * allocation; what one evaluation may take is SHF_LIMIT_CEL_SCRATCH_BYTES.
 */
struct shf_cel_block;
struct shf_cel_memory {
    struct shf_cel_block *blocks; /* newest first */
    uint8_t *at;
    size_t left, taken, most; /* bytes: left in the newest block, taken by all, that all may take */
};
#define SHF_CEL_SMALL_BYTES 512u
struct shf_cel_scratch {
    struct shf_cel_memory memory;
    struct shf_cel_match *match; /* of `matches`, when first needed */
    uint64_t steps;              /* about what all evaluations so far took, for whoever bounds them */
    alignas(16) uint8_t small[SHF_CEL_SMALL_BYTES];
};
void shf_cel_scratch_init(struct shf_cel_scratch *scratch);
void shf_cel_scratch_free(struct shf_cel_scratch *scratch);

/*
 * `columns` has a value for each column, in order. A value's type is its column's, or SHF_CEL_ABSENT or _MISFIT; strings
 * are valid UTF-8 (what shf_cel_bind makes). *out points into the scratch, the columns and the expression: it is valid
 * until the scratch is used again. SHF_E_ROUTING for every error of CEL, naming the place and the column;
 * SHF_E_NO_MEMORY.
 */
shf_status shf_cel_evaluate(const struct shf_cel *cel, const struct shf_cel_value *columns,
                            struct shf_cel_scratch *scratch, struct shf_cel_value *out, struct shf_error **error);

/* ---- host values ---- */

/*
 * A host value as the value of a column of this type: integers in range and bools for int and uint, these and doubles for
 * double, text and bytes that are UTF-8 for string, bytes for bytes. Text and bytes are cut at their first NUL, as the
 * Python project's writer cuts them when it places rows; true when that happened. The value points at the host's bytes.
 */
bool shf_cel_bind(enum shf_cel_type type, const shf_context_value *value, struct shf_cel_value *out);
bool shf_cel_bind_key(enum shf_cel_type type, const shf_key *key, struct shf_cel_value *out);
/* One value for each column, found by name; the last of one name counts, names that are no column do not. */
bool shf_cel_bind_context(const struct shf_cel *cel, const shf_routing_context *context, struct shf_cel_value *columns);

#endif
