/* The inside of s3_xml.h: s3_xml.c (documents, error bodies, steps of uploads), s3_xml_list.c (pages of a listing). */
#ifndef SHF_IO_S3_XML_PRIV_H
#define SHF_IO_S3_XML_PRIV_H

#include "base/text.h"
#include "io/s3_xml.h"

#include <expat.h>

#define SHF_XML_DEEPEST 16u
#define SHF_XML_LONGEST_NAME 32u   /* of an element that means something to us */
#define SHF_XML_LONGEST_TEXT 8192u /* of one element: keys are at most 1,024 bytes, encoded three times that */

/* A text-only view of a document: path of elements, text of the innermost. */
struct shf_xml_reading {
    XML_Parser parser;
    char path[SHF_XML_DEEPEST][SHF_XML_LONGEST_NAME];
    size_t depth;
    struct shf_text text;
    shf_status status; /* why it was stopped */
    /* An element ends: its text, since the last element within it. */
    void (*leaf)(struct shf_xml_reading *reading, const char *parent, const char *name, const char *text);
    void *target;
};

/* leaf and target are set. SHF_E_NO_MEMORY; SHF_E_STORE when it is no XML, or has what S3 does not send; or as stopped. */
shf_status shf_xml_read(struct shf_xml_reading *reading, const void *data, size_t size);
/* Nothing more is read. The first reason counts. */
void shf_xml_stop(struct shf_xml_reading *reading, shf_status status);

#endif
