/*
 * Hostile databases: a composite snapshot of one shard, its keys in SlateDB, its vectors in Lance, is made of objects, some
 * of which are replaced by ones that break a rule; then it is used through the public API. What comes must be one clear
 * error that says what and where and in which half, or the sound snapshot's answers; it must be quick, stay small, and
 * give everything back.
 */
#ifndef SHF_TESTS_HOSTILE_COMPOSITE_H
#define SHF_TESTS_HOSTILE_COMPOSITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum composite_half { COMPOSITE_KEYS, COMPOSITE_VECTORS };
enum composite_wish {
    COMPOSITE_FAILS,   /* the open or a use of it must be refused */
    COMPOSITE_MAY_DO,  /* refused, or all is as in the sound snapshot */
    COMPOSITE_ANSWERS, /* it is no attack on what is read: all is as in the sound snapshot */
    COMPOSITE_ANYTHING /* no checksum protects it: other answers are fine, but a failure must be clear */
};

#define COMPOSITE_BUDGET_BYTES ((uint64_t)64 << 20)

/* Group fixtures: runtime, directories, an empty snapshot with vectors of this dimension (and metric "dot_product"). */
int composite_begin(int dimension);
int composite_end(void);

/* ---- the sound snapshot ---- */

/* Adds an object below the shard's directory, for good. */
void composite_put(const char *name, const void *data, size_t size);
void composite_put_folder(const char *folder, const char *name); /* all files below it */
void composite_forget(const char *prefix);                       /* the objects whose names begin so */
const void *composite_object(const char *name, size_t *size);    /* of the sound snapshot; borrowed, NULL: none */
const char *composite_name(const char *part, unsigned nth);      /* of an object with this part in it; NULL: none */
/* A key that is asked for from now on; what must be there (value NULL: nothing). */
void composite_expect(const void *key, size_t key_size, const void *value, size_t value_size);
/* Uses it, and remembers the hits of a search. */
void composite_is_sound(const char *name);
/* Forgets all objects and keys. */
void composite_clear(void);

/* ---- attacks ---- */

/* Another content for an object, or a new one, or (data NULL) none: until the next try has ended. */
void composite_change(const char *name, const void *data, size_t size);
/* text: what the message must have in it, beside where it is; NULL: nothing of its own. */
void composite_try(enum composite_half half, enum composite_wish wish, const char *text, const char *name, ...)
    __attribute__((format(printf, 4, 5)));
/* One object with other bytes. */
void composite_try_one(enum composite_half half, enum composite_wish wish, const char *text, const char *object,
                       const void *data, size_t size, const char *name, ...) __attribute__((format(printf, 7, 8)));
/* All must be as before with 20,000 other files in this directory. */
void composite_try_among_strangers(enum composite_half half, const char *directory);
/* For what takes longer for good reasons: how often HOSTILE_MAX_MS the following tries may take; 1 again afterwards. */
void composite_allow_times(unsigned times);

/* Prints what was tried since the last time. */
void composite_count(const char *what);
const char *composite_snapshot(void);
const char *composite_cache(void);

#endif
