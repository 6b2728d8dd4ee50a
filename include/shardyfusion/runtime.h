/* The runtime, the completion queue and finished operations. Include <shardyfusion/shardyfusion.h>. */
#ifndef SHF_RUNTIME_H
#define SHF_RUNTIME_H

#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- runtime ---------------------------------------------------------------------------------------- */

/* Threads, connections, memory budget. One is enough for a process; several do not disturb one another. */
typedef struct shf_runtime shf_runtime;

enum { SHF_LOG_ERROR = 1, SHF_LOG_WARNING = 2, SHF_LOG_INFO = 3, SHF_LOG_DEBUG = 4 };

/*
 * Called from any thread of the library, possibly from several at once; must not block for long and must not call
 * the library. `level` is one of SHF_LOG_*; `message` has at most 1,023 bytes, ends without a newline, and is valid
 * during the call only. No secret is ever in it.
 */
typedef void shf_log_function(void *context, int level, const char *message);

typedef struct shf_runtime_options {
    uint32_t struct_size;
    uint32_t worker_threads;      /* threads that decode and scan, at most 256; 0 = one a core that is online */
    uint32_t max_inflight_ops;    /* operations accepted and not yet released, at most 1,048,576; 0 = 16,384 */
    uint32_t log_level;           /* most talkative SHF_LOG_* that reaches log; 0 = SHF_LOG_WARNING */
    uint64_t memory_budget_bytes; /* what the library may allocate for data; 0 = 1 GiB. Mapped files are apart */
    shf_log_function *log;        /* NULL = silence */
    void *log_context;            /* handed to log; the caller's, must live until shf_runtime_free returned */
} shf_runtime_options;

/*
 * Starts the threads: one loop thread, and the workers (all signals blocked in them). options may be NULL.
 * Errors: INVALID, NO_MEMORY, LOCAL (no threads or descriptors left).
 *
 * Charged to the budget: bodies on their way from a store (manifests, listings, the buffers of a download), values
 * that had to be copied, the queries, candidates and answers of a search, the centroids or hyperplanes that a vector-only
 * snapshot is routed by. What does not fit ends the operation with SHF_E_NO_MEMORY. Values that are read in place cost
 * nothing.
 */
SHF_API shf_status shf_runtime_new(const shf_runtime_options *options, shf_runtime **out);

/*
 * Stops the threads and frees the runtime. SHF_E_BUSY, and nothing happens, while a reader, a queue, a snapshot
 * or an unreleased operation of it lives: close, drain and release them first. May take a moment: what still runs
 * (a download that was cancelled) is ended first. Retained buffers stay valid. Must not run beside another call on
 * the same runtime.
 */
SHF_API shf_status shf_runtime_free(shf_runtime *runtime);

/* Counters since shf_runtime_new, unless they are said to be of now. */
typedef struct shf_runtime_stats {
    uint32_t struct_size;
    uint32_t inflight_ops;      /* accepted and not yet released, now */
    uint64_t budget_bytes;      /* the limit */
    uint64_t budget_used_bytes; /* charged now */
    uint64_t mapped_bytes;      /* files mapped now (shards and vector layouts), not charged to the budget */
    uint64_t store_requests;    /* requests sent to stores, retries included */
    uint64_t store_retries;
    uint64_t downloaded_bytes; /* bodies received from stores */
    uint64_t cache_hits;       /* shards found whole in the local cache */
    uint64_t cache_misses;
    uint64_t refresh_failures; /* refreshes that kept the old snapshot because the new manifest is malformed */
    uint64_t uploaded_bytes;   /* bodies sent to stores, those of attempts that failed too */
} shf_runtime_stats;

/* Never waits. Errors: INVALID, FORKED. */
SHF_API shf_status shf_runtime_stats_get(shf_runtime *runtime, shf_runtime_stats *out);

/* ---- completion queue ------------------------------------------------------------------------------- */

/*
 * Finished operations are taken from a completion queue by the caller's own thread; the library never calls
 * back. Any thread may poll; each completion is delivered once.
 */
typedef struct shf_cq shf_cq;

/*
 * A finished operation: owns its results and its error. It is the caller's from the moment that a queue or a
 * synchronous form hands it out until shf_op_release; views into it live until then. It is immutable, so any threads
 * may read it. It keeps the snapshot that it ran on, so hold it no longer than needed.
 */
typedef struct shf_op shf_op;

/* Names an accepted operation until it is released; carries a generation, so that a stale one is harmless. */
typedef uint64_t shf_op_id;

/*
 * How a call is to be run; struct_size first, zero = default. Every asynchronous call takes one, and for all of them:
 *
 *   - The call copies its inputs and returns at once; it waits neither for a network nor for a disk (a page of a
 *     mapped file that is not in memory is read, though).
 *   - SHF_OK: accepted. It completes exactly once, into call->cq; *id, where id is not NULL, names it until then.
 *   - Any other status: refused. Nothing completes and *id is not written. INVALID (arguments that can not even be
 *     read, no queue), BUSY (queue or table of operations full), NO_MEMORY, CLOSED, FORKED.
 *   - Every other error is that of the finished operation: shf_op_status, shf_op_error.
 */
typedef struct shf_call {
    uint32_t struct_size;
    uint32_t flags;     /* must be 0 */
    shf_cq *cq;         /* where the completion goes; required */
    void *tag;          /* handed back by shf_op_tag */
    int64_t timeout_ms; /* 0 = the default (shf_reader_options.timeout_ms), < 0 = none. One absolute deadline from
                           the moment of acceptance, retries included */
} shf_call;

/*
 * A queue for up to `capacity` operations (accepted and not yet polled; 0 = 1,024, at most 1,048,576). Slots are
 * reserved when a call is accepted: a full queue makes that call return SHF_E_BUSY, a completion is never lost.
 * Errors: INVALID, NO_MEMORY, LOCAL (no file descriptor), FORKED.
 */
SHF_API shf_status shf_cq_new(shf_runtime *runtime, uint32_t capacity, shf_cq **out);

/* SHF_E_BUSY, and nothing happens, while operations are on their way to it or wait in it. Closes the descriptor. */
SHF_API shf_status shf_cq_free(shf_cq *cq);

/*
 * A file descriptor that becomes readable when a completion arrives after a shf_cq_poll that returned 0. It is a
 * hint: watch it in any event loop, and when it is readable call shf_cq_poll until it returns 0, which arms it
 * again. Do not read from it or close it. -1 when cq is NULL. It stays the same until shf_cq_free.
 */
SHF_API int shf_cq_fd(const shf_cq *cq);

/*
 * Takes up to `max` finished operations, in the order in which they finished; each is the caller's to release. Waits
 * for the first one at most wait_ms (0 = not at all, < 0 = for ever). Returns how many; 0 when there is none (or when
 * cq is NULL, max is 0, or the queue was inherited over fork). Several threads may poll one queue.
 */
SHF_API size_t shf_cq_poll(shf_cq *cq, shf_op **out, size_t max, int64_t wait_ms);

/*
 * Waits for one operation and takes it; others stay in the queue. SHF_E_DEADLINE when wait_ms (0 = not at all,
 * < 0 = for ever) is over (the operation goes on), SHF_E_INVALID when no such operation is pending in this queue (it
 * was taken before, by another thread too), FORKED. The result is that of waiting: *out may be a failed operation.
 */
SHF_API shf_status shf_await(shf_cq *cq, shf_op_id id, int64_t wait_ms, shf_op **out);

/*
 * Asks a running operation to stop. It still completes, once: with SHF_E_CANCELLED, or with its result if that
 * came first. Unknown and stale ids are ignored (SHF_OK). Never waits. Errors: INVALID, FORKED.
 */
SHF_API shf_status shf_cancel(shf_runtime *runtime, shf_op_id id);

/* ---- finished operations ---------------------------------------------------------------------------- */

/* Any kind of operation has these; the results are with the call that makes them, in reader.h. */
SHF_API void *shf_op_tag(const shf_op *op);              /* call->tag; NULL from a synchronous form */
SHF_API shf_op_id shf_op_get_id(const shf_op *op);       /* 0 = a synchronous form that was answered within its call */
SHF_API shf_status shf_op_status(const shf_op *op);      /* SHF_OK or the code of its error */
SHF_API const shf_error *shf_op_error(const shf_op *op); /* NULL on success; owned by the operation */
SHF_API int64_t shf_op_latency_ns(const shf_op *op); /* from acceptance to completion; 0 = answered within its call */

/* Frees the operation, its results and its error, and a reader that was opened and not taken. Any thread, once. */
SHF_API void shf_op_release(shf_op *op);

#ifdef __cplusplus
}
#endif
#endif
