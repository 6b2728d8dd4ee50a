typedef int shf_io_placeholder; /* replaced by the first source of the module */
