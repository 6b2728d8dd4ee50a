/* Every named limit of the library, so that a reader of the code finds them in one place. */
#ifndef SHF_BASE_LIMITS_H
#define SHF_BASE_LIMITS_H

/* Counts and sizes that data may ask for. */
#define SHF_LIMIT_SHARDS 65536u
#define SHF_LIMIT_MANIFEST_BYTES (256u << 20)
#define SHF_LIMIT_CURRENT_BYTES (64u << 10)
#define SHF_LIMIT_LIST_PAGES 10000u     /* pages of a listing */
#define SHF_LIMIT_LIST_KEYS 1000000u    /* names that one listing may return */
#define SHF_LIMIT_XML_BYTES (16u << 20) /* one page of a listing, or an error body */
#define SHF_LIMIT_URL_BYTES 8192u
#define SHF_LIMIT_JSON_BYTES (16u << 20)
#define SHF_LIMIT_JSON_DEPTH 256u
#define SHF_LIMIT_JSON_VALUES 131072u /* lists, objects and their members: each costs some hundred bytes when parsed */

/* SQLite file format. */
#define SHF_LIMIT_BTREE_DEPTH 24u /* a valid file has at most about 20 levels */
#define SHF_LIMIT_SCHEMA_ROWS 4096u
#define SHF_LIMIT_RECORD_COLUMNS 64u
#define SHF_LIMIT_VALUE_BYTES 0x7fffffffu

/* What is written. 32,768 shards: shf_objects and the manifest stay within SHF_LIMIT_JSON_*. */
#define SHF_LIMIT_WRITER_SHARDS 32768u
#define SHF_LIMIT_ROWS_PER_CALL 65536u
#define SHF_LIMIT_RUN_ID_BYTES 128u

/* Vectors. */
#define SHF_LIMIT_DIMENSION 8192u /* sqlite-vec's own limit */
#define SHF_LIMIT_CHUNK_SLOTS 4096u
#define SHF_LIMIT_ID_BYTES (128u << 10)                     /* JSON text of one id of a vector */
#define SHF_LIMIT_WRITTEN_ID_BYTES (SHF_LIMIT_ID_BYTES / 8) /* text of one: its JSON has at most six times as much */

/* Vector-only snapshots. */
#define SHF_LIMIT_NPY_HEADER_BYTES 10000u /* NumPy's own limit */
#define SHF_LIMIT_HASH_BITS 63u           /* hyperplanes */
#define SHF_LIMIT_ROUTING_COLUMNS 4096u   /* of cel_columns */

/* Lance datasets. */
#define SHF_LIMIT_LANCE_MANIFEST_BYTES (256u << 20)
#define SHF_LIMIT_LANCE_FRAGMENTS 65536u
#define SHF_LIMIT_LANCE_FILES 64u                     /* data files of one fragment */
#define SHF_LIMIT_LANCE_ALL_FILES 131072u             /* of all fragments */
#define SHF_LIMIT_LANCE_PAGES 65536u                  /* of one column of a file; LanceDB makes one for some MiB */
#define SHF_LIMIT_LANCE_TEXT_BYTES (64u << 20)        /* unpacked, of one text that is packed */
#define SHF_LIMIT_LANCE_DICTIONARY_BYTES (64u << 20)  /* unpacked, of one page */
#define SHF_LIMIT_LANCE_DICTIONARIES_BYTES (1u << 28) /* of one column */
#define SHF_LIMIT_UNPACKED_FREELY_BYTES (1u << 20)    /* what one value may unpack to, however small it is packed */

/* What zstd may unpack: window, and bytes for one byte of the frame. */
#define SHF_LIMIT_ZSTD_WINDOW_BYTES (1u << 27)
#define SHF_LIMIT_ZSTD_RATIO 1000u
#define SHF_LIMIT_SIDECAR_BODY_BYTES (1u << 30) /* unpacked; its offsets have 32 bits */

/* SlateDB. */
#define SHF_LIMIT_SLATEDB_MANIFEST_BYTES (64u << 20)
#define SHF_LIMIT_SLATEDB_SSTS 65536u /* places of SSTs in the lists of a manifest; runs, segments, SSTs of others */
#define SHF_LIMIT_SLATEDB_PLACES_OF_SST 256u       /* of one SST: a lookup may have to go through all of them */
#define SHF_LIMIT_SLATEDB_INFO_BYTES (1u << 20)    /* what a footer points to */
#define SHF_LIMIT_SLATEDB_TABLE_BYTES (256u << 20) /* filter and index of an SST, as stored */
#define SHF_LIMIT_SLATEDB_BLOCK_BYTES (1u << 30)   /* a block, as stored and unpacked: the largest row */
#define SHF_LIMIT_SLATEDB_SMALL_BYTES                                                                                  \
    (64u << 20) /* unpacked, up to here from however few bytes; above, SHF_LIMIT_ZSTD_RATIO */
#define SHF_LIMIT_SLATEDB_WAL_BYTES (2u << 30) /* one object */
#define SHF_LIMIT_SLATEDB_WAL_ROWS 0x7fffffffu

/* CEL expressions. */
#define SHF_LIMIT_CEL_BYTES (400u << 10) /* of the text: 100,000 code points, which is the Python project's limit */
#define SHF_LIMIT_CEL_CODE_POINTS 100000u
#define SHF_LIMIT_CEL_DEPTH 64u /* of nesting, in the text and in the tree */
#define SHF_LIMIT_CEL_COLUMNS 256u
#define SHF_LIMIT_CEL_MEMORY_BYTES (64u << 20)  /* of a compiled expression */
#define SHF_LIMIT_CEL_SCRATCH_BYTES (64u << 20) /* of one evaluation */
#define SHF_LIMIT_CEL_ITERATIONS 10000u         /* of all comprehensions in one evaluation */
#define SHF_LIMIT_CEL_STEPS 10000000u      /* of one evaluation: nodes of iterations, items compared, bytes searched */
#define SHF_LIMIT_CEL_UNIFY_STEPS 1000000u /* comparing types, of one compilation */
#define SHF_LIMIT_CEL_PATTERN_BYTES 1024u  /* of a regular expression */
#define SHF_LIMIT_CEL_SUBJECT_BYTES (64u << 10) /* of a text that one is matched with */

/* Operations. */
#define SHF_LIMIT_OPS 1048576u
#define SHF_LIMIT_CQ_CAPACITY 1048576u
#define SHF_LIMIT_KEYS_PER_CALL 1048576u
#define SHF_LIMIT_QUERIES_PER_CALL 65536u
#define SHF_LIMIT_WORKERS 256u
#define SHF_LIMIT_ERROR_MESSAGE 1024u /* bytes of an error message */
#define SHF_LIMIT_LOG_MESSAGE 1024u

#endif
