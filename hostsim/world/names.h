/* Names for people, of numbers that the core counts and traces. */
#ifndef CORBEL_HOSTSIM_NAMES_H
#define CORBEL_HOSTSIM_NAMES_H

const char *name_of_exit(unsigned reason);      /* enum exit_reason */
const char *name_of_hypercall(unsigned number); /* NULL when nobody calls it so */
const char *name_of_shutdown(unsigned code);    /* SHUTDOWN_* */

#endif
