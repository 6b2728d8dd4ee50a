/* Status codes, slices, keys, errors and reference-counted buffers. Include <shardyfusion/shardyfusion.h>. */
#ifndef SHF_TYPES_H
#define SHF_TYPES_H

#include <stddef.h>
#include <stdint.h>

#define SHF_VERSION_MAJOR 0
#define SHF_VERSION_MINOR 1
#define SHF_VERSION_PATCH 0
#define SHF_VERSION_STRING "0.1.0"

#if defined(__GNUC__) || defined(__clang__)
#define SHF_API __attribute__((visibility("default")))
#else
#define SHF_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* SHF_INIT(p) zeroes the struct that p points at and sets its struct_size. */
#define SHF_INIT(p)                                                                                                    \
    do {                                                                                                               \
        unsigned char *shf_init_bytes_ = (unsigned char *)(p);                                                         \
        for (size_t shf_init_i_ = 0; shf_init_i_ < sizeof *(p); shf_init_i_++) {                                       \
            shf_init_bytes_[shf_init_i_] = 0;                                                                          \
        }                                                                                                              \
        (p)->struct_size = (uint32_t)sizeof *(p);                                                                      \
    } while (0)

/* 0, a negative SHF_E_* code, or one of the two positive codes, which are no errors. */
typedef int32_t shf_status;

enum {
    SHF_OK = 0,
    SHF_E_INVALID = -1,      /* an argument, option or key is wrong: fix the call                    (config) */
    SHF_E_UNSUPPORTED = -2,  /* the snapshot needs something this build does not read; named          (config) */
    SHF_E_ROUTING = -3,      /* the key or context routes to no shard                                (routing) */
    SHF_E_MANIFEST = -4,     /* _CURRENT or the manifest is malformed, or names what it must not    (manifest) */
    SHF_E_STATE = -5,        /* nothing to serve (no _CURRENT, no valid manifest), or a run can not go on (state) */
    SHF_E_CLOSED = -6,       /* the reader or writer is closed                                         (state) */
    SHF_E_FORKED = -7,       /* the handle was made before fork(), in the parent                       (state) */
    SHF_E_NOT_FOUND = -8,    /* an object that must be there is not                                    (store) */
    SHF_E_ACCESS = -9,       /* credentials are missing or refused                                     (store) */
    SHF_E_STORE = -10,       /* the store answered with a final error                                  (store) */
    SHF_E_STORE_RETRY = -11, /* the store failed for now: 5xx, reset, time-out; retries used up  (store, retryable) */
    SHF_E_CORRUPT = -12,     /* bytes of a shard contradict its format                               (adapter) */
    SHF_E_INDEX = -13,       /* vectors of a shard contradict the manifest or their format             (index) */
    SHF_E_BUSY = -14,        /* a queue or table is full: drain completions, then call again; or, from a *_free
                                function, the handle is still in use                         (limit, retryable) */
    SHF_E_NO_MEMORY = -15,   /* the budget or the system has no memory left                  (limit, retryable) */
    SHF_E_LIMIT = -16,       /* something is larger than a named limit                                 (limit) */
    SHF_E_DEADLINE = -17,    /* the time given to the operation is over                  (deadline, retryable) */
    SHF_E_CANCELLED = -18,   /* cancelled by shf_cancel or by closing                              (cancelled) */
    SHF_E_LOCAL = -19,       /* a local file operation failed (cache directory, disk full)             (store) */
    SHF_E_INTERNAL = -20,    /* a bug in this library; please report it                             (internal) */
    SHF_NOT_FOUND = 1,       /* not an error: the key is absent (status of a shf_value) */
    SHF_WOULD_WAIT = 2       /* not an error: no answer without waiting; submit the call instead (the *_now forms) */
};

/* Error categories, see shf_error_category. */
enum {
    SHF_CATEGORY_NONE = 0,
    SHF_CATEGORY_CONFIG = 1,
    SHF_CATEGORY_ROUTING = 2,
    SHF_CATEGORY_MANIFEST = 3,
    SHF_CATEGORY_STATE = 4,
    SHF_CATEGORY_STORE = 5,
    SHF_CATEGORY_ADAPTER = 6,
    SHF_CATEGORY_INDEX = 7,
    SHF_CATEGORY_LIMIT = 8,
    SHF_CATEGORY_DEADLINE = 9,
    SHF_CATEGORY_CANCELLED = 10,
    SHF_CATEGORY_INTERNAL = 11
};

/* Version of the library at run time, "MAJOR.MINOR.PATCH". Static storage. */
SHF_API const char *shf_version(void);

/* One English sentence about a status code, without particulars. Static storage; never NULL. */
SHF_API const char *shf_status_text(shf_status status);

/* SHF_CATEGORY_* of a status code. */
SHF_API int32_t shf_status_category(shf_status status);

/*
 * Bytes that somebody else owns: as an argument they need to live for the call only, as a result for as long as the
 * comment there says. data may be NULL where size is 0. Not NUL-terminated. Layout frozen.
 */
typedef struct shf_slice {
    const void *data;
    size_t size;
} shf_slice;

/* ---- keys ------------------------------------------------------------------------------------------- */

enum { SHF_KEY_INT = 1, SHF_KEY_UINT = 2, SHF_KEY_TEXT = 3, SHF_KEY_BYTES = 4 };

/*
 * A lookup key. An integer routes by its 8 little-endian bytes, text and bytes by their own bytes: a row that
 * was written under an integer key is found by the integer, not by its 8 bytes. SHF_KEY_UINT is for values
 * above INT64_MAX; smaller ones mean the same as SHF_KEY_INT. Text must be valid UTF-8.
 *
 * What a snapshot takes is said by its key encoding (shf_snapshot_info): u64be an integer from 0 to 2^64-1 or exactly
 * 8 bytes, u32be an integer from 0 to 2^32-1 or exactly 4 bytes, utf8 and raw text or bytes. Anything else is
 * SHF_E_INVALID; so is, under hash sharding, an integer above 2^63-1.
 */
typedef struct shf_key {
    uint32_t kind;     /* SHF_KEY_* */
    uint32_t reserved; /* 0 */
    union {
        int64_t int_value;
        uint64_t uint_value;
        shf_slice bytes; /* text or bytes; borrowed for the call only */
    } as;
} shf_key;

/* Constructors; the bytes stay the caller's. */
static inline shf_key shf_key_from_int(int64_t value) {
    shf_key key = {SHF_KEY_INT, 0, {0}};
    key.as.int_value = value;
    return key;
}
static inline shf_key shf_key_from_uint(uint64_t value) {
    shf_key key = {SHF_KEY_UINT, 0, {0}};
    key.as.uint_value = value;
    return key;
}
static inline shf_key shf_key_from_text(const char *text, size_t size) {
    shf_key key = {SHF_KEY_TEXT, 0, {0}};
    key.as.bytes.data = text;
    key.as.bytes.size = size;
    return key;
}
static inline shf_key shf_key_from_bytes(const void *data, size_t size) {
    shf_key key = {SHF_KEY_BYTES, 0, {0}};
    key.as.bytes.data = data;
    key.as.bytes.size = size;
    return key;
}

enum {
    SHF_CONTEXT_INT = 1,
    SHF_CONTEXT_UINT,
    SHF_CONTEXT_DOUBLE,
    SHF_CONTEXT_BOOL,
    SHF_CONTEXT_TEXT,
    SHF_CONTEXT_BYTES
};

/* One column of a routing context (for snapshots sharded by an expression; HASH snapshots ignore it). */
typedef struct shf_context_value {
    const char *name;
    uint32_t kind; /* SHF_CONTEXT_* */
    uint32_t reserved;
    union {
        int64_t int_value; /* SHF_CONTEXT_INT, and SHF_CONTEXT_BOOL as 0 or 1 */
        uint64_t uint_value;
        double double_value;
        shf_slice bytes; /* text or bytes */
    } as;
} shf_context_value;

/* All columns; borrowed for the call only. struct_size is sizeof, `values` points at `count` of them. */
typedef struct shf_routing_context {
    uint32_t struct_size;
    uint32_t count;
    const shf_context_value *values;
} shf_routing_context;

/* ---- errors ----------------------------------------------------------------------------------------- */

/*
 * Why an operation failed. Owned by its operation, or by the caller where a function has a `shf_error **`
 * parameter (free it with shf_error_free). Immutable, so any thread may read it. No secret (access key, token,
 * presigned query) is ever in a message. Texts live as long as the error. Every accessor takes NULL.
 */
typedef struct shf_error shf_error;

SHF_API shf_status shf_error_code(const shf_error *error);     /* SHF_E_*; SHF_OK for NULL */
SHF_API int32_t shf_error_category(const shf_error *error);    /* SHF_CATEGORY_* */
SHF_API int shf_error_retryable(const shf_error *error);       /* 1: the same call may succeed later */
SHF_API const char *shf_error_message(const shf_error *error); /* what, where, what to do; never NULL */
SHF_API int64_t shf_error_shard(const shf_error *error);       /* shard id, or -1 */
SHF_API int32_t shf_error_http_status(const shf_error *error); /* the store's HTTP status, or 0 */
SHF_API const char *shf_error_object(const shf_error *error);  /* URL of the object concerned, or "" */
SHF_API void shf_error_free(shf_error *error);                 /* for errors that the caller owns */

/* ---- reference-counted buffers ---------------------------------------------------------------------- */

/*
 * Bytes that may outlive the operation that delivered them, and the reader and the runtime too. A value that was read
 * in place keeps its shard's mapping (and its place in the local cache) for as long as somebody holds its buffer; a
 * value that had to be copied stays charged to the memory budget until then. Any thread; NULL is fine in both.
 */
typedef struct shf_buf shf_buf;

SHF_API shf_buf *shf_buf_retain(shf_buf *buf); /* one reference more; returns buf */
SHF_API void shf_buf_release(shf_buf *buf);    /* one less; the last frees */

#ifdef __cplusplus
}
#endif
#endif
