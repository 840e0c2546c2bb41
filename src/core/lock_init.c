/* Apart from lock.c, of whose writes nothing is left when no lock is held: the fuzzers' reset
 * passes over those, not over these. */
#include "core/lock.h"

void lock_init(struct lock *l, enum lock_level level)
{
    l->spin.word = 0;
    l->level = (uint8_t)level;
}
