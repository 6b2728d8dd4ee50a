#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

static struct shf_alloc_seam alloc_seam = {malloc, realloc, free};

void shf_alloc_set_seam(const struct shf_alloc_seam *seam) {
    alloc_seam.allocate = seam && seam->allocate ? seam->allocate : malloc;
    alloc_seam.reallocate = seam && seam->reallocate ? seam->reallocate : realloc;
    alloc_seam.release = seam && seam->release ? seam->release : free;
}

void *shf_alloc(size_t size) {
    if (size > PTRDIFF_MAX) return NULL;
    return alloc_seam.allocate(size ? size : 1);
}

void *shf_alloc_array(size_t count, size_t size) {
    size_t total;
    return shf_mul(count, size, &total) ? shf_alloc(total) : NULL;
}

void *shf_alloc_zero(size_t count, size_t size) {
    void *memory = shf_alloc_array(count, size);
    if (memory) memset(memory, 0, count * size);
    return memory;
}

void *shf_realloc_array(void *old, size_t count, size_t size) {
    size_t total;
    if (!shf_mul(count, size, &total) || total > PTRDIFF_MAX) return NULL;
    return alloc_seam.reallocate(old, total ? total : 1);
}

void *shf_alloc_aligned(size_t alignment, size_t size) {
    /* The start of the real block is kept in the word before the aligned address. */
    size_t total;
    if (!shf_add(size, alignment + sizeof(void *), &total)) return NULL;
    unsigned char *block = shf_alloc(total);
    if (!block) return NULL;
    uintptr_t start = (uintptr_t)block + sizeof(void *);
    size_t skip = (alignment - start % alignment) % alignment;
    unsigned char *aligned = block + sizeof(void *) + skip;
    memcpy(aligned - sizeof(void *), &block, sizeof block);
    return aligned;
}

void shf_free(void *memory) {
    if (memory) alloc_seam.release(memory);
}

void shf_free_secret(char *text) {
    if (text) explicit_bzero(text, strlen(text));
    shf_free(text);
}

void shf_free_aligned(void *memory) {
    if (!memory) return;
    void *block;
    memcpy(&block, (unsigned char *)memory - sizeof(void *), sizeof block);
    shf_free(block);
}

void *shf_memdup(const void *data, size_t size) {
    void *copy = shf_alloc(size);
    if (copy && size) memcpy(copy, data, size);
    return copy;
}

char *shf_strndup(const char *text, size_t size) {
    char *copy = size < SIZE_MAX ? shf_alloc(size + 1) : NULL;
    if (!copy) return NULL;
    if (size) memcpy(copy, text, size);
    copy[size] = '\0';
    return copy;
}

char *shf_strdup(const char *text) { return text ? shf_strndup(text, strlen(text)) : NULL; }
