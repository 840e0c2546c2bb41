/* src/core/mem/buddy.c: merging and splitting, with the words of the frame table known by
 * name only. */
#include "words_by_name.h"

#include "../../src/core/mem/buddy.c"
