/* What the files of the Unicorn engine share. One uc_engine per vCPU over the
 * same memory; all in one thread. Facts about Unicorn 2.1 that shaped this are
 * in README.md. */
#ifndef CORBEL_HOSTSIM_UNICORN_GUEST_H
#define CORBEL_HOSTSIM_UNICORN_GUEST_H

#include <unicorn/unicorn.h>

#include "hostsim/engine/engine.h"
#include "port/guest.h"
#include "x86/hvm/hvm.h"

/* Linear addresses that no guest can own (not canonical): the trap page, where
 * a hook sends RIP to make the engine stop exactly, and a window on physical
 * memory for dropping translations. */
#define ENGINE_WINDOW UINT64_C(0x0000900000000000)
#define ENGINE_TRAP_VA UINT64_C(0x0000a00000000000)

/* Guest bytes a nanosecond of virtual time pays for: about four a instruction. */
#define BYTES_PER_NS 4

/* Virtual time that an exit answered inside its hook costs, and a TSC read:
 * loops that wait by port or by TSC then turn about as often as on a machine. */
#define INLINE_EXIT_NS 1000
#define TSC_READ_NS 100

/* Why the engine left uc_emu_start(); set by hooks, read by the run loop. */
enum stop_cause {
    STOP_NONE,      /* HLT, PAUSE or an error of Unicorn */
    STOP_BLOCK,     /* block hook: budget, kick or window */
    STOP_TRAP,      /* a planted hook prepared an exit and sent RIP to the trap page */
    STOP_EXCEPTION, /* vector in stop_vector */
    STOP_INVALID,   /* undefined opcode */
    STOP_SYSCALL,   /* SYSCALL instruction */
    STOP_DEBUG,     /* a breakpoint at stop_address */
    STOP_TLB        /* a TLB miss that the guest's tables or the second stage refuse */
};

#define PLANTED_MAX 768u

struct planted {
    uint64_t va;
    uc_hook hook;
};

struct port_guest {
    int64_t budget;    /* bytes of guest code left in this slice; the block hook's only word */
    int64_t held_back; /* part of it set aside so that the next block is looked at closely */
    int64_t budget_given;
    struct vcpu *v;
    uc_engine *uc;
    uc_context *ctx;
    struct port_guest *next, **link; /* list of all engines */
    uint64_t rip;                    /* where to resume */
    uint64_t cr2;

    bool running;
    enum stop_cause cause;
    uint32_t stop_vector;
    uint64_t stop_address; /* block to resume from */
    bool want_window;
    struct guest_exit exit;

    /* The TLB miss that stopped us. */
    struct {
        uint64_t la, gpa;
        enum walk_access access;
        uint32_t error;
        bool canonical, second_stage;
    } miss;

    /* Translated code and writable TLB entries, by machine frame. */
    uint8_t *code_pages;      /* 1: this engine holds translations of the frame */
    uint32_t *writable_epoch; /* == epoch: a writable TLB entry may exist */
    uint64_t *scanned;        /* linear page scanned for planted instructions, + 1 */
    uint32_t epoch;
    bool window_open;

    struct planted planted[PLANTED_MAX];
    unsigned planted_count;

    struct engine_stats stats;
    struct engine_debug *debug; /* breakpoints and stepping, NULL without a debugger */
};

extern struct port_guest *engine_list;
extern uint64_t engine_frames; /* machine frames in the arena */

/* unicorn_layout.c: where the saved context keeps what no public call reaches. */
struct engine_layout {
    size_t regs, hflags, segs, exception, error_code;
};
const struct engine_layout *engine_layout(void);
/* Finds the layout by provoking known values in a scratch engine. 0, or -1 with
 * a line on stderr. */
int engine_calibrate(void);

/* Opens a configured engine without hooks over the arena; NULL on failure. */
uc_engine *engine_open(void);

/* unicorn_state.c */
uint64_t engine_reg(struct port_guest *g, int reg);
void engine_set_reg(struct port_guest *g, int reg, uint64_t value);
void engine_read_regs(struct port_guest *g, struct guest_regs *regs);
void engine_write_regs(struct port_guest *g, const struct guest_regs *regs);
void engine_read_modes(struct port_guest *g, struct guest_exit *e);
struct walk_mode engine_walk_mode(struct port_guest *g, bool user);
unsigned engine_cpl(struct port_guest *g);
/* After an intercepted exception: forgets it and returns its error code. */
uint32_t engine_take_exception(struct port_guest *g);
/* Enters 64-bit kernel code at CPL 0 with the given selectors. */
void engine_enter_kernel(struct port_guest *g, uint16_t cs, uint16_t ss);
uint64_t engine_seg_base(struct port_guest *g, enum seg_reg s);

/* unicorn_tlb.c */
bool engine_tlb_fill(uc_engine *uc, uint64_t la, uc_mem_type type, uc_tlb_entry *entry, void *arg);
void engine_flush_tlb(struct port_guest *g);
/* Drops all engines' translations of a machine frame that is being written. The
 * block that runs may be among them: it goes on to its end, as its buffer stays. */
void engine_drop_code(uint64_t frame);
/* Copies n bytes at a linear address as CPL 0 sees it; false when unmapped. */
bool engine_peek(struct port_guest *g, uint64_t la, void *dst, size_t n);
bool engine_poke(struct port_guest *g, uint64_t la, const void *src, size_t n);

/* unicorn_plant.c: RDMSR, WRMSR, RDTSC, RDTSCP and MOV from CR2 have no hook of
 * their own in Unicorn: their places are found when a page is filled for fetch. */
void engine_scan_page(struct port_guest *g, uint64_t la_page, const uint8_t *page, bool user);
void engine_unplant_all(struct port_guest *g);
/* RDTSC or RDTSCP at CPL 3, which faults because CR4.TSD is kept set. */
bool engine_user_tsc(struct port_guest *g);

/* unicorn_deliver.c: event delivery through the guest's IDT (SDM 6.12-6.14).
 * True: delivered; false: triple fault or a mode without support, exit filled. */
bool engine_deliver(struct port_guest *g, const struct guest_event *e);
/* A page fault or second-stage fault for the recorded miss. True: handled in the
 * guest (resume); false: exit filled. */
bool engine_deliver_miss(struct port_guest *g);
void engine_syscall(struct port_guest *g);

/* unicorn_hooks.c */
int engine_add_hooks(struct port_guest *g);
/* Charges the time of the code run since the slice began or since last asked. */
void engine_account(struct port_guest *g);
/* Makes the block hook look closely at the next block. */
void engine_poll(struct port_guest *g);
/* Does an interrupt shadow cover the instruction at rip? */
bool engine_in_shadow(struct port_guest *g);

/* unicorn_debug.c */
bool engine_debug_stepping(const struct port_guest *g);
/* Calls the debugger with v stopped at rip; returns when it lets go. */
void engine_debug_stopped(struct port_guest *g, bool stepped);

#endif
