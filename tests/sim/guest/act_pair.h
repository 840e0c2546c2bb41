/* How two domains find each other without xenstore, and keep in step.
 *
 * The inviting side grants a page, the board, by a reference known to both, and then makes
 * an unbound port for the other; the guest tries the ports of its peer until one is for it.
 * From then on both write to the board and wake each other by that port. */
#ifndef ACT_PAIR_H
#define ACT_PAIR_H

#include "guest.h"

#define BOARD_REF 8u /* the first that is not reserved */
#define FREE_REF 16u /* for the acts */
#define BOARD_WORDS 64u

struct board {
    volatile uint32_t step[2]; /* how far inviting and guest side are */
    volatile uint64_t said[2][BOARD_WORDS];
};

struct link {
    domid_t peer;
    bool guest; /* not the inviting side */
    uint32_t port;
    struct board *board;
    uint64_t board_gfn;
    uint32_t handle;
};

extern struct link first, second; /* second: in the middle of three, to the third */

/* Within PATIENCE, or the program ends as failed. */
void invite(struct link *l, domid_t peer);
void visit(struct link *l, domid_t peer);
void meet(struct link *l); /* until the other side does the same */
void part(struct link *l); /* at the end; the board goes */
void tell(struct link *l, unsigned i, uint64_t value);
uint64_t told(const struct link *l, unsigned i); /* what the other one said */

extern const struct act acts_duet[], acts_trio[], acts_dying[], acts_strangers[];

#endif
