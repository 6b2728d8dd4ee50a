/*
 * A Lance data file (`data/NAME.lance`) of version 2.0, 2.1 or 2.2: the container, without what its columns hold (that is
 * column.h). Pure; needs of the source only the footer, the tables and the metadata, so a file can be opened by ranges:
 *
 *   1. the last SHF_LANCE_FOOTER_BYTES bytes      shf_lance_footer_parse   -> where the rest of the metadata lies
 *   2. footer.metadata                            shf_lance_descriptor_range
 *   3. the descriptor                             shf_lance_file_open
 */
#ifndef SHF_FORMATS_LANCE_FILE_H
#define SHF_FORMATS_LANCE_FILE_H

#include "base/budget.h"
#include "formats/lance/source.h"

#define SHF_LANCE_FOOTER_BYTES 40u

enum shf_lance_version { SHF_LANCE_2_0, SHF_LANCE_2_1, SHF_LANCE_2_2 };

struct shf_lance_footer {
    enum shf_lance_version version;
    uint32_t column_count, buffer_count;
    uint64_t columns_table, buffers_table; /* offsets of the tables: position and size of each, 16 bytes */
    struct shf_lance_range metadata;       /* metadata of the columns, both tables, the footer: the end of the file */
};

/* footer: the last SHF_LANCE_FOOTER_BYTES bytes of a file of this size. SHF_E_CORRUPT; SHF_E_UNSUPPORTED for other versions. */
shf_status shf_lance_footer_parse(const void *footer, size_t size, uint64_t file_size, struct shf_lance_footer *out,
                                  struct shf_error **error);

/* Where the descriptor (schema, number of rows) lies. Reads the table of buffers. */
shf_status shf_lance_descriptor_range(const struct shf_lance_source *source, const struct shf_lance_footer *footer,
                                      struct shf_lance_range *out, struct shf_error **error);

struct shf_lance_file {
    struct shf_lance_source source;
    struct shf_lance_footer footer;
    uint64_t rows;
    struct shf_budget *budget; /* what its columns are charged to; NULL: nothing. To be set before they are opened */
};

/* The source is copied; what it points to must outlive the file. */
shf_status shf_lance_file_open(struct shf_lance_file *file, const struct shf_lance_source *source,
                               struct shf_error **error);

/* The metadata of a column: a protobuf message within the source. SHF_E_CORRUPT when there is no such column. */
shf_status shf_lance_file_column(const struct shf_lance_file *file, uint32_t number, const uint8_t **data, size_t *size,
                                 struct shf_error **error);

#endif
