/*
 * Object stores. A store answers requests: whole objects, ranges, sizes, listings, by key below the store's root
 * (bucket or directory). Asynchronous: shf_store_submit returns at once; request->done runs later on the runtime's
 * loop thread, exactly once, never from inside submit. The caller owns the request and keeps it until then.
 */
#ifndef SHF_IO_STORE_H
#define SHF_IO_STORE_H

#include "base/buf.h"
#include "base/cancel.h"
#include "base/error.h"
#include "rt/runtime.h"

#include <stdbool.h>
#include <stdint.h>

enum shf_store_verb {
    SHF_STORE_GET = 1, /* whole object or range */
    SHF_STORE_HEAD,    /* size and etag only */
    SHF_STORE_LIST,    /* names directly below a prefix (delimiter "/") */
    SHF_STORE_PUT,     /* a whole object, new or instead of the one that is there; appears whole or not at all */
    SHF_STORE_DELETE   /* an object; one that is not there is no error */
};

struct shf_store_request {
    /* in */
    enum shf_store_verb verb;
    bool has_range;      /* GET */
    bool may_map;        /* GET of a whole object to `body`: it may be a mapping of the file, where there is one */
    bool has_source;     /* PUT: of a file */
    bool wants_sha256;   /* GET of a whole object to body_fd: tell its SHA-256 where it comes over a network */
    bool wants_versions; /* LIST: of the objects, too */
    const char *key;     /* object key, decoded, no leading slash; LIST: prefix, "" or ending in "/" */
    uint64_t range_offset, range_size; /* GET with has_range: exactly these bytes (else SHF_E_STORE: object is shorter) */
    const char *if_match; /* GET: fail with SHF_E_STORE (http_status 412) when the ETag differs; NULL = any */
    uint64_t max_bytes;   /* body above this: SHF_E_LIMIT, transfer stopped. 0 = no body is expected (HEAD, LIST) */
    int body_fd;          /* >= 0: the body is written there from offset 0, else to `body` */
    int source_fd;        /* PUT with has_source; read by pread, must not change meanwhile */
    /* PUT: what to write, the caller's until done: `data`, or the first data_size bytes of a file */
    const void *data;
    uint64_t data_size;
    const char *source_path;  /* with has_source, or NULL: the file's path; the file store may take it by renaming it */
    const uint8_t *sha256;    /* with has_source: 32 bytes, SHA-256 of it where the caller knows it; else NULL */
    const char *content_type; /* PUT; NULL = application/octet-stream */
    /*
     * PUT: NULL = whatever is there; "" = only where nothing is; else only instead of this version (an out `version`).
     * Otherwise SHF_E_STORE with http_status 412. After a retry it may be this very request that wrote what is there.
     */
    const char *if_version;
    int64_t deadline_ns;             /* absolute, retries included; SHF_DEADLINE_NONE */
    const struct shf_cancel *cancel; /* or NULL */
    void (*done)(struct shf_store_request *request);

    /* out, set when done runs */
    shf_status status;
    bool has_md5, has_sha256;
    bool condition_ignored;  /* PUT: the store does not know conditions; it was written without */
    bool was_sent_again;     /* whatever the status is, an attempt before the last may have been carried out */
    struct shf_error *error; /* the caller's to free when status is not SHF_OK; names the object's URL */
    struct shf_buf *body;    /* GET without body_fd; the caller's to release */
    uint64_t body_size;      /* bytes received */
    uint64_t object_size;    /* size of the whole object */
    char *etag;              /* verbatim with quotes, or NULL; file store: NULL */
    char *version;       /* GET, HEAD, PUT: what if_version takes; S3: the ETag; files: made of inode, time and size */
    int64_t modified_ns; /* file store: modification time in ns since 1970; else 0 */
    uint64_t inode;      /* file store; else 0 */
    uint8_t md5[16];     /* GET of a whole object to body_fd: MD5 of what was received, where has_md5 */
    uint8_t received_sha256[32]; /* the same with SHA-256, where it was asked for */
    char **names;                /* LIST: relative to key; directories end in "/"; sorted by bytes */
    size_t name_count;           /* free with shf_store_request_clear */
    /*
     * LIST with wants_versions: of each of names, what `version` of a HEAD of it would be; NULL of a directory, and of what
     * the store tells none. Else NULL, and where there are no names. Who takes the names away takes these too.
     */
    char **versions;

    /* the store's own while it works */
    void *internal;
    struct shf_task task;
};

/* Releases the out fields and zeroes them. */
void shf_store_request_clear(struct shf_store_request *request);

struct shf_credentials;
struct shf_store; /* reference-counted */
struct shf_store_class {
    const char *name;
    void (*submit)(struct shf_store *store, struct shf_store_request *request);
    /* Path of a key in the local file system, the caller's to shf_free; NULL: this store has none. */
    char *(*local_path)(struct shf_store *store, const char *key);
    void (*destroy)(struct shf_store *store);
    void (*use_credentials)(struct shf_store *store, struct shf_credentials *credentials); /* NULL: it has none */
};
struct shf_store {
    const struct shf_store_class *class;
    atomic_uint references;
    shf_runtime *runtime;
    char *root_url; /* "s3://bucket", "file:///" ...; no trailing slash except file:/// */
    char *endpoint; /* part of cache identities: "" for file */
};

struct shf_store *shf_store_retain(struct shf_store *store);
void shf_store_release(struct shf_store *store);
/* Any thread. */
void shf_store_submit(struct shf_store *store, struct shf_store_request *request);

/*
 * Requests that are made (or tried again) from now on are signed with these, which the store retains; what it had before is
 * not asked any more. Any thread, never waits. Without effect on stores that know none, and on anonymous ones.
 */
void shf_store_use_credentials(struct shf_store *store, struct shf_credentials *credentials);

/* file:///: keys are absolute paths without the leading slash. Symbolic links are followed (it is the user's own file system). */
shf_status shf_store_file_new(shf_runtime *runtime, struct shf_store **out, struct shf_error **error);

/* s3://bucket. options may be NULL. Endpoint, region, addressing and credentials are resolved here (no network). */
struct shf_s3_options;
shf_status shf_store_s3_new(shf_runtime *runtime, const char *bucket, const struct shf_s3_options *options,
                            struct shf_store **out, struct shf_error **error);

#endif
