/*
 * The bounds-checked byte cursor: the only way in which the library decodes foreign bytes. Every read says whether
 * the bytes were there; a failed read moves nothing.
 */
#ifndef SHF_BASE_CURSOR_H
#define SHF_BASE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct shf_cursor {
    const uint8_t *at;
    size_t left;
};

static inline struct shf_cursor shf_cursor_of(const void *data, size_t size) { return (struct shf_cursor){data, size}; }

static inline bool shf_cursor_bytes(struct shf_cursor *c, size_t size, const uint8_t **out) {
    if (c->left < size) return false;
    *out = c->at;
    if (size == 0) return true; /* at may be NULL, to which nothing can be added */
    c->at += size;
    c->left -= size;
    return true;
}

static inline bool shf_cursor_skip(struct shf_cursor *c, size_t size) {
    const uint8_t *unused;
    return shf_cursor_bytes(c, size, &unused);
}

static inline bool shf_cursor_u8(struct shf_cursor *c, uint8_t *out) {
    const uint8_t *p;
    if (!shf_cursor_bytes(c, 1, &p)) return false;
    *out = p[0];
    return true;
}

/* Plain loads from bytes whose presence was checked. */
static inline uint16_t shf_load_u16be(const uint8_t *p) { return (uint16_t)((unsigned)p[0] << 8 | p[1]); }
static inline uint32_t shf_load_u32be(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}
static inline uint64_t shf_load_u64be(const uint8_t *p) {
    return (uint64_t)shf_load_u32be(p) << 32 | shf_load_u32be(p + 4);
}
static inline uint32_t shf_load_u32le(const uint8_t *p) {
    return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}
static inline uint64_t shf_load_u64le(const uint8_t *p) {
    return (uint64_t)shf_load_u32le(p + 4) << 32 | shf_load_u32le(p);
}
static inline void shf_store_u32le(uint8_t *p, uint32_t value) {
    for (int i = 0; i < 4; i++) p[i] = (uint8_t)(value >> (8 * i));
}
static inline void shf_store_u64le(uint8_t *p, uint64_t value) {
    for (int i = 0; i < 8; i++) p[i] = (uint8_t)(value >> (8 * i));
}

static inline bool shf_cursor_u16be(struct shf_cursor *c, uint16_t *out) {
    const uint8_t *p;
    if (!shf_cursor_bytes(c, 2, &p)) return false;
    *out = shf_load_u16be(p);
    return true;
}
static inline bool shf_cursor_u32be(struct shf_cursor *c, uint32_t *out) {
    const uint8_t *p;
    if (!shf_cursor_bytes(c, 4, &p)) return false;
    *out = shf_load_u32be(p);
    return true;
}
static inline bool shf_cursor_u32le(struct shf_cursor *c, uint32_t *out) {
    const uint8_t *p;
    if (!shf_cursor_bytes(c, 4, &p)) return false;
    *out = shf_load_u32le(p);
    return true;
}
static inline bool shf_cursor_u64le(struct shf_cursor *c, uint64_t *out) {
    const uint8_t *p;
    if (!shf_cursor_bytes(c, 8, &p)) return false;
    *out = shf_load_u64le(p);
    return true;
}

#endif
