#include "writer/pointer.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/limits.h"
#include "formats/manifest.h"
#include "formats/manifest_build.h"

#include <string.h>

#define TRIES 3u
#define PAUSE_MS 1000
#define READ_BACK_MS 30000 /* the operation's own time may be over: what happened must be known all the same */
#define PRECONDITION_FAILED 412
#define CONTENT_TYPE "application/json"

static void put(struct shf_pointer *pointer);

static struct shf_pointer *pointer_of(struct shf_errand *errand) {
    return SHF_CONTAINER(errand, struct shf_pointer, errand);
}

static bool was_refused(const struct shf_pointer *pointer) {
    return shf_error_http_status(pointer->put_error) == PRECONDITION_FAILED;
}

static void finish(struct shf_pointer *pointer, shf_status status, struct shf_error *error) {
    shf_errand_end(&pointer->errand);
    pointer->is_refused = status && pointer->is_known && pointer->tries == 1 && !pointer->was_sent_again &&
                          (was_refused(pointer) || pointer->put_status == SHF_E_ACCESS);
    if (pointer->put_error != error) shf_error_free(pointer->put_error);
    pointer->put_error = NULL;
    pointer->status = status;
    pointer->error = error;
    pointer->done(pointer);
}

static void give_up(struct shf_pointer *pointer) { finish(pointer, pointer->put_status, pointer->put_error); }

/* ---- what is there now ---- */

static void pause_over(struct shf_wait *wait, shf_status reason) {
    struct shf_pointer *pointer = SHF_CONTAINER(wait, struct shf_pointer, pause);
    if (reason == SHF_E_CANCELLED) {
        give_up(pointer);
    } else {
        put(pointer);
    }
}

static void try_again(struct shf_pointer *pointer) {
    if (pointer->tries >= TRIES || pointer->put_status != SHF_E_STORE_RETRY) {
        give_up(pointer);
        return;
    }
    pointer->pause = (struct shf_wait){
        .deadline_ns = shf_deadline_after_ms(PAUSE_MS * pointer->tries), .cancel = pointer->cancel, .wake = pause_over};
    shf_wait_begin(pointer->runtime, &pointer->pause);
}

static void lost(struct shf_pointer *pointer, const char *run_id) {
    struct shf_error *error = NULL;
    shf_status status = shf_error_set(&error, SHF_E_STATE,
                                      "%s changed while this run worked: another writer published run %s; run %s was "
                                      "not published, and nothing is lost: "
                                      "build again on top of it",
                                      pointer->location->url, run_id, pointer->run_id);
    finish(pointer, status, error);
}

static void unknown(struct shf_pointer *pointer) {
    struct shf_error *error = NULL;
    shf_status status = shf_error_set(&error, SHF_E_STORE_RETRY,
                                      "whether _CURRENT of %s names run %s now is not known: it was written without an "
                                      "answer (%s), and can not be read "
                                      "(%s); look at it before building again",
                                      pointer->location->url, pointer->run_id, shf_error_message(pointer->put_error),
                                      shf_error_message(pointer->errand.request.error));
    finish(pointer, status, error);
}

/* Whether the answer leaves it open: none came, or (files) what came after the renaming failed. */
static bool may_be_written(const struct shf_pointer *pointer) {
    shf_status status = pointer->put_status;
    return was_refused(pointer) || status == SHF_E_STORE_RETRY || status == SHF_E_DEADLINE ||
           status == SHF_E_CANCELLED || status == SHF_E_LOCAL;
}

static bool is_as_before(const struct shf_pointer *pointer) {
    const char *now = pointer->errand.status == SHF_E_NOT_FOUND ? "" : pointer->errand.request.version;
    return pointer->if_version && now && !strcmp(now, pointer->if_version);
}

static void read_back(struct shf_errand *errand) {
    struct shf_pointer *pointer = pointer_of(errand);
    struct shf_current current = {0};
    if (errand->status && errand->status != SHF_E_NOT_FOUND) {
        if (may_be_written(pointer)) {
            unknown(pointer);
        } else {
            give_up(pointer);
        }
        return;
    }
    pointer->is_known = true;
    bool is_readable = !errand->status && shf_current_parse(errand->request.body->data, errand->request.body->size,
                                                            &current, NULL) == SHF_OK;
    if (is_readable && !strcmp(current.manifest_ref, pointer->manifest_ref)) {
        finish(pointer, SHF_OK, NULL); /* it was written; only the answer was lost */
    } else if (is_as_before(pointer) || !may_be_written(pointer) || (!pointer->if_version && !was_refused(pointer))) {
        try_again(pointer);
    } else {
        lost(pointer, is_readable ? current.run_id : "(unreadable)");
    }
    shf_current_free(&current);
}

/* ---- writing ---- */

static void written(struct shf_errand *errand) {
    struct shf_pointer *pointer = pointer_of(errand);
    if (!errand->status) {
        if (errand->request.condition_ignored || !pointer->if_version) pointer->is_unconditional = true;
        finish(pointer, SHF_OK, NULL);
        return;
    }
    shf_error_free(pointer->put_error);
    pointer->put_status = errand->status;
    pointer->was_sent_again = pointer->was_sent_again || errand->request.was_sent_again;
    pointer->put_error = shf_errand_take_error(errand);
    errand->cancel = NULL;
    errand->deadline_ns = shf_deadline_after_ms(READ_BACK_MS);
    shf_errand_get(errand, shf_location_key(pointer->location, pointer->location->pointer_name),
                   SHF_LIMIT_CURRENT_BYTES, read_back);
}

static void put(struct shf_pointer *pointer) {
    struct shf_errand *errand = &pointer->errand;
    char *text = NULL;
    pointer->tries++;
    errand->cancel = pointer->cancel;
    errand->deadline_ns = pointer->deadline_ns;
    (void)shf_current_build(pointer->manifest_ref, pointer->run_id, shf_clock_wall_us(), &text, NULL);
    shf_errand_put(errand, shf_location_key(pointer->location, pointer->location->pointer_name), text,
                   text ? strlen(text) : 0, CONTENT_TYPE, pointer->if_version, written);
}

void shf_pointer_write(struct shf_pointer *pointer) {
    pointer->errand = (struct shf_errand){.store = pointer->store};
    put(pointer);
}
