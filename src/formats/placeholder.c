typedef int shf_formats_placeholder; /* replaced by the first source of the module */
