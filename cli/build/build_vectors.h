/* The file of --vectors: .npy (float16, float32, float64) or .fvecs, one vector after the other. */
#ifndef CLI_BUILD_VECTORS_H
#define CLI_BUILD_VECTORS_H

#include "cli/build/build_input.h"
#include "cli/npy.h"

struct cli_vectors {
    struct cli_stream stream;
    bool is_npy;
    struct cli_npy npy; /* of .fvecs: as if it were a .npy of float32; rows count up as they come */
    uint64_t taken;     /* vectors given out */
    unsigned char *row;
    bool ahead; /* .fvecs: the dimension of the next vector was read */
};

/* As cli_stream_open. The dimension is known afterwards (0 = an empty .fvecs). */
char *cli_vectors_open(struct cli_vectors *vectors, const char *name, uint64_t memory_bytes, const struct cli_idle *idle);
void cli_vectors_close(struct cli_vectors *vectors);

enum cli_vector { CLI_VECTOR_READY, CLI_VECTOR_NOT_FINITE, CLI_VECTOR_END, CLI_VECTOR_STOPPED };
/* The next vector into `out` (npy.dimension floats). NULL, or what is wrong with the file. */
char *cli_vectors_next(struct cli_vectors *vectors, float *out, enum cli_vector *state);
/* How many vectors the file has; reads on to its end where only that tells. */
char *cli_vectors_count(struct cli_vectors *vectors, uint64_t *count);

#endif
