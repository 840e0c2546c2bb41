/* corbel-sim replay FILE: one input of the fuzzers, with a log of every operation. */
#ifndef CORBEL_HOSTSIM_REPLAY_H
#define CORBEL_HOSTSIM_REPLAY_H

/* argv[0] is "replay", argv[-1] the program. Returns an exit status; only if what replays is not
 * there. */
int replay_main(int argc, char **argv);

#endif
