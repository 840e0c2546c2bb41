/* What the files of fuzz_tool share. */
#ifndef CORBEL_FUZZ_TOOL_H
#define CORBEL_FUZZ_TOOL_H

#include "fuzz/program.h"

/* A program from a file: bytes, or text that begins with a line "#fuzz". 0, or -1
 * having said in one line what is wrong with it. */
int tool_load(const char *path, struct program *p);
int tool_save(const char *path, const struct program *p);

/* minimise.c: the smallest program that still goes wrong in the same way. */
int tool_minimise(const char *from, const char *to);

/* stats.c: what inputs reach, operation by operation. */
int tool_stats(int argc, char **argv);

#endif
