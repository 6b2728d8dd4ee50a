typedef int shf_search_placeholder; /* replaced by the first source of the module */
