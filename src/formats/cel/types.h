/* Types of expressions, with variables for what only use tells: the elements of []. Private to formats/cel. */
#ifndef SHF_FORMATS_CEL_TYPES_H
#define SHF_FORMATS_CEL_TYPES_H

#include "formats/cel/cel.h"

/* A type by its number. Scalars and null have the number of their kind; so those need no making. */
typedef uint32_t shf_cel_term;

struct shf_cel_term_data {
    enum shf_cel_type kind;     /* SHF_CEL_OTHER: a variable */
    shf_cel_term first, second; /* element; key and value; what a variable is bound to, 0 = nothing */
};

struct shf_cel_types {
    struct shf_cel_term_data *terms;
    size_t count, capacity;
    uint32_t steps; /* of unification */
    bool is_out_of_memory, is_too_complex;
};

bool shf_cel_types_init(struct shf_cel_types *types); /* false: no memory */
void shf_cel_types_free(struct shf_cel_types *types);

/* 0 without memory. */
shf_cel_term shf_cel_term_variable(struct shf_cel_types *types);
shf_cel_term shf_cel_term_list(struct shf_cel_types *types, shf_cel_term element);
shf_cel_term shf_cel_term_map(struct shf_cel_types *types, shf_cel_term key, shf_cel_term value);

/* Through the variables that are bound. */
shf_cel_term shf_cel_term_resolve(const struct shf_cel_types *types, shf_cel_term term);
enum shf_cel_type shf_cel_term_kind(const struct shf_cel_types *types, shf_cel_term term);
shf_cel_term shf_cel_term_first(const struct shf_cel_types *types, shf_cel_term term);
shf_cel_term shf_cel_term_second(const struct shf_cel_types *types, shf_cel_term term);

/* Makes the two one type, binding variables; false when they are not, or (see the flags) could not be compared. */
bool shf_cel_term_unify(struct shf_cel_types *types, shf_cel_term a, shf_cel_term b);

#define SHF_CEL_TYPE_NAME_BYTES 64u
/* "map(string, list(int))", cut when too long. */
void shf_cel_term_name(const struct shf_cel_types *types, shf_cel_term term, char out[SHF_CEL_TYPE_NAME_BYTES]);

#endif
