/* Protobuf messages and small Lance files, made byte by byte: what no writer makes, and what each rule refuses. */
#ifndef SHF_TESTS_FORMATS_LANCE_MAKE_H
#define SHF_TESTS_FORMATS_LANCE_MAKE_H

#include <stddef.h>
#include <stdint.h>

struct bytes {
    uint8_t data[8192];
    size_t size;
};

void put(struct bytes *out, const void *data, size_t size);
void put_text(struct bytes *out, const char *text);
void put_u16(struct bytes *out, uint16_t value);
void put_u32(struct bytes *out, uint32_t value);
void put_u64(struct bytes *out, uint64_t value);
void put_pad(struct bytes *out, size_t alignment);

/* Fields of a message. */
void put_varint(struct bytes *out, uint64_t value);
void put_number(struct bytes *out, uint32_t field, uint64_t value);
void put_bytes(struct bytes *out, uint32_t field, const void *data, size_t size);
void put_string(struct bytes *out, uint32_t field, const char *text);
void put_message(struct bytes *out, uint32_t field, const struct bytes *message);
/* A message of one field, which is a message: wrap(4, of(1, ...)). */
struct bytes wrap(uint32_t field, const struct bytes *message);

/* A file of this version (0 = 2.0 to 2 = 2.2) with one column of one page. */
struct page_made {
    unsigned version;
    uint64_t rows;
    struct bytes encoding; /* an ArrayEncoding or a PageLayout */
    struct bytes buffers[4];
    unsigned buffer_count;
};
void make_file(const struct page_made *page, struct bytes *out);

#endif
