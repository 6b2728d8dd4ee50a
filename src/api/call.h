/* How the functions of the public header become operations: shared by the files of api. */
#ifndef SHF_API_CALL_H
#define SHF_API_CALL_H

#include "reader/results.h"
#include "rt/struct_size.h"

/* Reads a shf_call: where the completion goes. SHF_E_INVALID without a queue. */
/*
 * SHF_E_INVALID for NULL; SHF_E_FORKED in a child, before the call touches the heap, which may be locked for ever there.
 */
shf_status shf_reader_check(const shf_reader *reader);
shf_status shf_call_read(const shf_call *call, struct shf_submission *out);

/* NULL is fine. SHF_E_INVALID: a size or pointer is wrong, or a field is set that is not known here. */
shf_status shf_context_check(const shf_routing_context *context);

/* A synchronous form: submit with sync.submission between begin and end. Lives on the caller's stack. */
struct shf_sync {
    struct shf_op_waiter waiter;
    struct shf_submission submission;
};
void shf_sync_begin(struct shf_sync *sync, int64_t timeout_ms);
/* The same for a *_now form: the submission is answered within its call, or refused with SHF_WOULD_WAIT. */
void shf_now_begin(struct shf_sync *sync);
/* Waits for the operation that was submitted (status SHF_OK), hands it out, gives its status. */
shf_status shf_sync_end(struct shf_sync *sync, shf_status submitted, shf_op **op);

#endif
