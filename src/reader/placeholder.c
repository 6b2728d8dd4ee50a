typedef int shf_reader_placeholder; /* replaced by the first source of the module */
