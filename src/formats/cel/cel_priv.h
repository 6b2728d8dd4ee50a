/* Between the parts of the CEL compiler and evaluator: trees, their memory, errors. Private to formats/cel. */
#ifndef SHF_FORMATS_CEL_CEL_PRIV_H
#define SHF_FORMATS_CEL_CEL_PRIV_H

#include "base/limits.h"
#include "formats/cel/cel.h"

/* ---- memory ---- */

/* Bytes at a multiple of 16 from blocks that are freed together; NULL: none left, or more than memory->most. */
void *shf_cel_alloc(struct shf_cel_memory *memory, size_t count, size_t size);
void shf_cel_memory_free(struct shf_cel_memory *memory);
/* Gives back what was taken since the mark, which is a copy of the struct. */
void shf_cel_memory_return(struct shf_cel_memory *memory, const struct shf_cel_memory *mark);
/* Forgets the last evaluation. */
void shf_cel_scratch_reset(struct shf_cel_scratch *scratch);

/* ---- trees ---- */

/* What a node does. Those before SHF_CEL_OP_PARSED come from the parser and are replaced by the checker. */
enum shf_cel_op {
    SHF_CEL_OP_NAME, /* a variable */
    SHF_CEL_OP_CALL, /* a function by name; child 0 is the target when has_target */
    SHF_CEL_OP_ADD,
    SHF_CEL_OP_SUBTRACT,
    SHF_CEL_OP_MULTIPLY,
    SHF_CEL_OP_DIVIDE,
    SHF_CEL_OP_MODULO,
    SHF_CEL_OP_NEGATE,
    SHF_CEL_OP_INDEX,
    SHF_CEL_OP_IN,
    SHF_CEL_OP_PARSED,

    SHF_CEL_OP_CONSTANT,
    SHF_CEL_OP_COLUMN,
    SHF_CEL_OP_LOCAL,
    SHF_CEL_OP_CONDITION,
    SHF_CEL_OP_AND,
    SHF_CEL_OP_OR,
    SHF_CEL_OP_NOT,
    SHF_CEL_OP_EQUAL,
    SHF_CEL_OP_NOT_EQUAL,
    SHF_CEL_OP_LESS,
    SHF_CEL_OP_LESS_EQUAL,
    SHF_CEL_OP_GREATER,
    SHF_CEL_OP_GREATER_EQUAL,
    SHF_CEL_OP_LIST,
    SHF_CEL_OP_MAP,
    SHF_CEL_OP_SELECT, /* of a map; the name is node->name */
    SHF_CEL_OP_HAS,
    SHF_CEL_OP_INDEX_LIST,
    SHF_CEL_OP_INDEX_MAP,
    SHF_CEL_OP_IN_LIST,
    SHF_CEL_OP_IN_MAP,
    /* Comprehensions: child 0 is the range, 1 the predicate or transformation, 2 the transformation of a map with both. */
    SHF_CEL_OP_ALL,
    SHF_CEL_OP_EXISTS,
    SHF_CEL_OP_EXISTS_ONE,
    SHF_CEL_OP_TRANSFORM,
    SHF_CEL_OP_FILTER,

    SHF_CEL_OP_ADD_INT,
    SHF_CEL_OP_SUBTRACT_INT,
    SHF_CEL_OP_MULTIPLY_INT,
    SHF_CEL_OP_DIVIDE_INT,
    SHF_CEL_OP_MODULO_INT,
    SHF_CEL_OP_NEGATE_INT,
    SHF_CEL_OP_ADD_UINT,
    SHF_CEL_OP_SUBTRACT_UINT,
    SHF_CEL_OP_MULTIPLY_UINT,
    SHF_CEL_OP_DIVIDE_UINT,
    SHF_CEL_OP_MODULO_UINT,
    SHF_CEL_OP_ADD_DOUBLE,
    SHF_CEL_OP_SUBTRACT_DOUBLE,
    SHF_CEL_OP_MULTIPLY_DOUBLE,
    SHF_CEL_OP_DIVIDE_DOUBLE,
    SHF_CEL_OP_NEGATE_DOUBLE,
    SHF_CEL_OP_CONCATENATE, /* any number of strings, or of bytes */
    SHF_CEL_OP_ADD_LIST,

    SHF_CEL_OP_SIZE,
    SHF_CEL_OP_CONTAINS,
    SHF_CEL_OP_STARTS_WITH,
    SHF_CEL_OP_ENDS_WITH,
    SHF_CEL_OP_MATCHES, /* node->pattern, NULL when the pattern is invalid; the only child is the subject */
    SHF_CEL_OP_SAME,    /* a conversion to the type that it has already */
    SHF_CEL_OP_TO_INT,
    SHF_CEL_OP_TO_UINT,
    SHF_CEL_OP_TO_DOUBLE,
    SHF_CEL_OP_TO_STRING,
    SHF_CEL_OP_TO_BYTES,
    SHF_CEL_OP_TO_BOOL,
    SHF_CEL_OP_SHARD_HASH
};

struct shf_cel_pattern;

struct shf_cel_node {
    enum shf_cel_op op;
    enum shf_cel_type operand; /* type of child 0, once checked */
    uint32_t offset;           /* in the text */
    uint32_t count;            /* children */
    uint32_t height;           /* at most SHF_LIMIT_CEL_DEPTH */
    uint32_t weight;           /* nodes of the subtree */
    uint32_t slot;             /* of a column, a local, or the variable of a comprehension */
    uint32_t type;             /* index of its term, while it is checked */
    bool has_target, is_root;  /* x.f(y); .name */
    struct shf_cel_node **children;
    struct shf_cel_node *next; /* while its parent is parsed */
    shf_slice name;            /* in the text: of a name, a call, a field, a comprehension's variable */
    struct shf_cel_value constant;
    struct shf_cel_pattern *pattern;
};

struct shf_cel_column_copy {
    char *name;
    enum shf_cel_type type, key, element;
};

struct shf_cel {
    struct shf_cel_memory memory; /* of everything below */
    char *text;                   /* NUL-terminated, valid UTF-8 */
    size_t size;
    struct shf_cel_column_copy *columns;
    size_t column_count;
    struct shf_cel_node *root;
    enum shf_cel_type result_type;
    struct shf_cel_pattern *patterns; /* all, to be freed */
};

/* ---- errors of compilation ---- */

/* Sets the error: the text made, the offset, what is written there. Returns the code. */
shf_status shf_cel_error(const struct shf_cel *cel, size_t offset, shf_status code, struct shf_error **error,
                         const char *format, ...) __attribute__((format(printf, 5, 6), cold));
#define shf_cel_error(...) shf_failed(shf_cel_error(__VA_ARGS__))
shf_status shf_cel_no_memory(struct shf_error **error);
#define shf_cel_no_memory(error) shf_failed(shf_cel_no_memory(error))

#define SHF_CEL_PLACE_BYTES 48u
/* What stands at the offset, as far as a message should show it. */
void shf_cel_place(const struct shf_cel *cel, size_t offset, char out[SHF_CEL_PLACE_BYTES]);

/* ---- stages of compilation; each sets the error when it fails ---- */

shf_status shf_cel_parse(struct shf_cel *cel, struct shf_error **error);
shf_status shf_cel_check(struct shf_cel *cel, struct shf_error **error);
/* Subtrees without variables become constants, unless their evaluation is an error. */
shf_status shf_cel_fold(struct shf_cel *cel, struct shf_error **error);

/* A node with these children, linked by `next`; NULL without memory. */
struct shf_cel_node *shf_cel_node_new(struct shf_cel *cel, enum shf_cel_op op, size_t offset,
                                      struct shf_cel_node *children);
/* Turns the call node into the macro that it is, where it is one. */
shf_status shf_cel_expand_macro(struct shf_cel *cel, struct shf_cel_node *call, struct shf_error **error);
bool shf_cel_slice_is(shf_slice slice, const char *text);

#endif
