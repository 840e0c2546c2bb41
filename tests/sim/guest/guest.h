/* Runtime of our own guest programs: freestanding, 64-bit, on Xen's PVH ABI and nothing
 * else. It takes no notice of what it runs on: the simulator or a machine. Times are the
 * pvclock's nanoseconds; every wait has a limit. */
#ifndef GUEST_H
#define GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xen/xen.h>

#include <xen/arch-x86/hvm/start_info.h>
#include <xen/errno.h>
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/memory.h>
#include <xen/sched.h>
#include <xen/vcpu.h>

#define PAGE 4096u
#define CPUS_MAX 8u
#define PORTS_MAX 1024u
#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)
#define PATIENCE (5 * SECOND) /* the longest wait for what must come */

/* ---- Checks (acts.c). Failures are counted, the first is told; a test goes on. */
bool eq_(const char *file, int line, const char *what, int64_t got, int64_t want);
#define EQ(got, want) eq_(__FILE_NAME__, __LINE__, #got, (int64_t)(got), (int64_t)(want))
#define OK(cond) eq_(__FILE_NAME__, __LINE__, #cond, !!(cond), 1)

/* One line of the table: what a program can act. */
struct act {
    const char *name;
    unsigned vcpus; /* that it needs */
    void (*run)(void);
};
/* Each file has its table, which ends with an entry without a name. */
extern const struct act acts_exit[], acts_memory[], acts_evtchn[], acts_fifo[], acts_time[],
    acts_vcpu[], acts_lapic[], acts_grant[], acts_emulate[], acts_cpu[], acts_smp[], acts_version[],
    acts_leak[];
/* All of a table, or the one called only; prefix: of their names as told. */
void run_acts(const struct act *table, const char *prefix, const char *only);
void play_pair(const char *role); /* act_pair.c: the parts of two or three domains */

/* ---- Base (rt.c) */
extern const struct hvm_start_info *start_info;
int64_t hypercall(uint64_t nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e);
#define HC1(nr, a) hypercall(nr, (uint64_t)(a), 0, 0, 0, 0)
#define HC2(nr, a, b) hypercall(nr, (uint64_t)(a), (uint64_t)(b), 0, 0, 0)
#define HC3(nr, a, b, c) hypercall(nr, (uint64_t)(a), (uint64_t)(b), (uint64_t)(c), 0, 0)
#define memory_op(op, arg) HC2(__HYPERVISOR_memory_op, op, arg)
#define evtchn_op(op, arg) HC2(__HYPERVISOR_event_channel_op, op, arg)
#define sched_op(op, arg) HC2(__HYPERVISOR_sched_op, op, arg)
#define vcpu_op(op, vcpu, arg) HC3(__HYPERVISOR_vcpu_op, op, vcpu, arg)
#define hvm_op(op, arg) HC2(__HYPERVISOR_hvm_op, op, arg)
#define gnttab_op(op, arg, n) HC3(__HYPERVISOR_grant_table_op, op, arg, n)
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2))); /* %s %d %u %x, with l */
void power_off(unsigned reason) __attribute__((noreturn));
#define WORD_MAX 32u
/* Copies what follows name= on the command line; value is left alone if it is not there. */
bool word(const char *name, char *value);
uint64_t number(const char *name, uint64_t otherwise);
bool same(const char *a, const char *b);
void *page_alloc(void);                /* zeroed; below 1 GiB, where linear is physical */
void *pages_alloc(unsigned n);         /* contiguous, not to be freed */
void page_free(void *page);            /* one from page_alloc() */
uint64_t hole_gfn(unsigned n);         /* n frame numbers where no memory is; mapped linearly */
void map_4k(uint64_t va, uint64_t pa); /* pa: with flags, as in an entry */
#define GFN(p) ((uint64_t)(uintptr_t)(p) >> 12)
#define AT(gfn) ((void *)(uintptr_t)((uint64_t)(gfn) << 12))
void *memset(void *p, int c, size_t n);
void *memcpy(void *to, const void *from, size_t n);
int memcmp(const void *a, const void *b, size_t n);

/* ---- CPUs and traps (rt_cpu.c, vectors.S) */
struct frame { /* as vectors.S leaves it */
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rdx, rcx, rbx, rax;
    uint64_t vector, error, rip, cs, rflags, rsp, ss;
};
struct cpu {
    struct cpu *self; /* at gs:0 */
    unsigned id;
    bool x2apic;
    uint64_t resume; /* where an expected exception continues; 0: none is expected */
    volatile uint64_t faults, fault_vector, fault_error, fault_address, fault_rip;
    uint64_t user_rsp;           /* the stack to come back to from user mode */
    volatile uint32_t irqs[256]; /* how often each vector came */
    uint32_t fifo_head[16];
    struct evtchn_fifo_control_block *fifo;
    void (*volatile job)(void *);
    void *volatile job_arg;
    volatile uint32_t alive;
};
extern struct cpu cpus[CPUS_MAX];
#define VEC_UPCALL 0xf3u   /* by the local APIC */
#define VEC_CALLBACK 0x70u /* past it: no EOI */
#define VEC_TEST 0x50u     /* free for tests */
#define VEC_TEST2 0x61u    /* another priority class */
#define VEC_TIMER 0x40u
#define VEC_NMI 2u
#define VEC_UD 6u
#define VEC_GP 13u
#define VEC_PF 14u
static inline struct cpu *me(void)
{
    struct cpu *c;

    __asm__ volatile("mov %%gs:0, %0" : "=r"(c));
    return c;
}
void cpu_init(unsigned id);
void trap(struct frame *f);
extern void (*volatile irq_hook[256])(struct frame *f); /* called before the EOI */
static inline void irq_on(void)
{
    __asm__ volatile("sti; nop" ::: "memory");
}
static inline void irq_off(void)
{
    __asm__ volatile("cli" ::: "memory");
}
/* With interrupts on, from the moment of halting: one that was off until then is not missed. */
static inline void halt(void)
{
    __asm__ volatile("sti; hlt" ::: "memory");
}
static inline void relax(void)
{
    __asm__ volatile("pause" ::: "memory");
}
#define RFLAGS_TF UINT64_C(0x100)
/* For assembly that may fault, in which c is me(): TRY_ARM comes first and uses r11; label 2,
 * where it goes on, last; TRY_OUT is among the outputs. try_end() gives the vector, or 0. */
#define TRY_ARM "lea 2f(%%rip), %%r11; mov %%r11, %[resume]; "
#define TRY_OUT [resume] "=m"(c->resume)
static inline void try_begin(struct cpu *c)
{
    c->fault_vector = 0;
}
static inline unsigned try_end(struct cpu *c)
{
    c->resume = 0;
    return (unsigned)c->fault_vector;
}
/* One access that may fault: the vector of the exception, or 0. */
unsigned try_rdmsr(uint32_t msr, uint64_t *value);
unsigned try_wrmsr(uint32_t msr, uint64_t value);
unsigned try_load(uint64_t va, uint32_t *value);
unsigned try_store(uint64_t va, uint32_t value);
unsigned try_call(uint64_t va);
unsigned try_ud(void);
static inline uint64_t rdmsr(uint32_t msr)
{
    uint32_t lo, hi;

    __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
    return (uint64_t)hi << 32 | lo;
}
static inline void wrmsr(uint32_t msr, uint64_t v)
{
    __asm__ volatile("wrmsr" ::"c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
}
struct cpuid {
    uint32_t a, b, c, d;
};
struct cpuid cpuid(uint32_t leaf, uint32_t sub);
extern uint32_t xen_leaf; /* base of Xen's CPUID leaves */
extern uint8_t hypercall_page[PAGE];

/* ---- Other vCPUs (rt_smp.c). They idle until given a job. */
extern unsigned vcpus;            /* that this domain has */
int64_t cpu_start(unsigned id);   /* by VCPUOP_initialise and up; waits for it */
bool cpu_start_sipi(unsigned id); /* by INIT and SIPI; waits for it */
void cpu_job(unsigned id, void (*job)(void *), void *arg);
bool cpu_done(unsigned id); /* waits until its job is over */
void secondary_main(unsigned id) __attribute__((noreturn));

/* ---- Local APIC (rt_lapic.c) */
#define LAPIC_ID 0x20u
#define LAPIC_VERSION 0x30u
#define LAPIC_TPR 0x80u
#define LAPIC_PPR 0xa0u
#define LAPIC_EOI 0xb0u
#define LAPIC_SVR 0xf0u
#define LAPIC_ISR 0x100u
#define LAPIC_IRR 0x200u
#define LAPIC_ESR 0x280u
#define LAPIC_ICR 0x300u
#define LAPIC_LVTT 0x320u
#define LAPIC_LVT0 0x350u
#define LAPIC_TMICT 0x380u
#define LAPIC_TMCCT 0x390u
#define LAPIC_TDCR 0x3e0u
#define LAPIC_SELF_IPI 0x3f0u
#define ICR_NMI 0x400u
#define ICR_INIT 0x500u
#define ICR_STARTUP 0x600u
#define ICR_ASSERT 0x4000u
#define ICR_SELF 0x40000u
#define ICR_ALL 0x80000u
#define ICR_OTHERS 0xc0000u
uint32_t lapic_read(uint32_t reg);
void lapic_write(uint32_t reg, uint32_t value);
void lapic_icr(uint32_t apic_id, uint32_t value);
void lapic_on(void);
void lapic_x2apic(void);
unsigned apic_id_of(unsigned cpu);

/* ---- Time (rt_time.c) */
uint64_t now(void);
uint64_t tsc(void);
uint64_t tsc_hz(void);                  /* by the pvclock's scale */
uint64_t poll_until(uint64_t deadline); /* SCHEDOP_poll without ports; returns its result */
void rest(uint64_t ns);                 /* sleeps up to ns: events and interrupts end it */
/* Halts until cond, at most PATIENCE, and looks at it with interrupts off. A tick every
 * second sees to it that a wait in vain ends, too. */
int64_t backstop_begin(void);
void backstop_end(int64_t port);
#define HALT_UNTIL(cond)                                                                           \
    ({                                                                                             \
        uint64_t end_ = now() + PATIENCE;                                                          \
        int64_t port_ = backstop_begin();                                                          \
        irq_off();                                                                                 \
        while (!(cond) && now() < end_) {                                                          \
            halt();                                                                                \
            irq_off();                                                                             \
        }                                                                                          \
        irq_on();                                                                                  \
        backstop_end(port_);                                                                       \
        !!(cond);                                                                                  \
    })
/* Waits with interrupts on until cond, at most PATIENCE. True if it came. */
#define WAIT(cond) WAIT_FOR(cond, PATIENCE)
#define WAIT_FOR(cond, ns)                                                                         \
    ({                                                                                             \
        uint64_t end_ = now() + (ns);                                                              \
        while (!(cond) && now() < end_)                                                            \
            rest(50000);                                                                           \
        !!(cond);                                                                                  \
    })

/* ---- Events (rt_event.c). Ports are masked and unmasked as in Linux. */
extern struct shared_info *shared;
extern volatile uint32_t fired[PORTS_MAX];     /* how often each port was handled */
extern volatile uint32_t fired_cpu[PORTS_MAX]; /* where last */
extern volatile uint32_t fired_log[256], fired_logged;
extern void (*volatile event_hook[PORTS_MAX])(uint32_t port);
extern bool fifo;
void event_init(void);
void event_init_cpu(void);                       /* the calling vCPU's upcall vector */
extern struct vcpu_info *vcpu_info_of[CPUS_MAX]; /* a registered one, or NULL */
struct vcpu_info *vcpu_info(void);
void upcall(void);
bool event_pending(uint32_t port);
void event_clear(uint32_t port);
void event_mask(uint32_t port);
int64_t event_unmask(uint32_t port);
int64_t event_send(uint32_t port);
int64_t event_close(uint32_t port);
int64_t event_bind_cpu(uint32_t port, unsigned cpu);
/* A new port, or an error; unmasked. */
int64_t event_unbound(domid_t remote);
int64_t event_interdomain(domid_t remote, uint32_t port);
int64_t event_ipi(unsigned cpu);
int64_t event_virq(uint32_t virq, unsigned cpu);
struct evtchn_status event_status(uint32_t port);
volatile uint32_t *fifo_word(uint32_t port);
bool event_to_fifo(void); /* once; for all vCPUs of the domain */

/* ---- Grants (rt_grant.c) */
extern unsigned grant_version;
extern uint16_t grant_status_of(grant_ref_t ref); /* GTF_reading, GTF_writing */
int64_t grant_init(unsigned version);             /* and maps the table */
void grant_access(grant_ref_t ref, domid_t domid, uint64_t gfn, uint16_t flags);
void grant_sub_page(grant_ref_t ref, domid_t domid, uint64_t gfn, uint16_t off, uint16_t len,
                    uint16_t flags);
void grant_transitive(grant_ref_t ref, domid_t domid, domid_t via, grant_ref_t via_ref);
bool grant_end(grant_ref_t ref); /* false: in use, and still granted */
/* GNTST_*; the handle of a mapping is stored. */
int grant_map(domid_t domid, grant_ref_t ref, uint64_t gfn, uint32_t flags, uint32_t *handle);
int grant_unmap(uint64_t gfn, uint32_t handle);
struct gnttab_copy_ptr grant_ref_at(domid_t domid, grant_ref_t ref, unsigned offset);
struct gnttab_copy_ptr grant_own(uint64_t gfn, unsigned offset);
int grant_copy(struct gnttab_copy_ptr from, bool from_ref, struct gnttab_copy_ptr to, bool to_ref,
               unsigned len);

#endif
