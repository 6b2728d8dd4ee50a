/* Hyperplanes through the origin for hashing vectors: standard normal, the same ones for a seed. */
#ifndef SHF_WRITER_HYPERPLANES_H
#define SHF_WRITER_HYPERPLANES_H

#include <stdint.h>

/* bits * dimension floats. */
void shf_draw_hyperplanes(uint64_t seed, uint32_t bits, uint32_t dimension, float *out);

#endif
