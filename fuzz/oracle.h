/* What watches every program besides the audit: the reference model hooks in here. */
#ifndef CORBEL_FUZZ_ORACLE_H
#define CORBEL_FUZZ_ORACLE_H

#include "fuzz/exec.h"

/* Options for campaigns and replays; CORBEL_FUZZ_AUDIT=each in the environment audits
 * after every operation. */
const struct exec_options *oracle_options(void);

#endif
