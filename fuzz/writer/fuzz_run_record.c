/* Run records that somebody else wrote: whatever they hold, they are read or refused. */
#include "base/error.h"
#include "writer/run_record.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct shf_run_state state;
    struct shf_error *error = NULL;
    shf_status status = shf_run_record_read(data, size, &state, &error);
    if (status ? !error : error || state.status < SHF_RUN_RUNNING || state.status > SHF_RUN_FAILED) abort();
    shf_error_free(error);
    return 0;
}
