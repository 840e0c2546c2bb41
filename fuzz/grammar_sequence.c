/* Lives of things, from their making to their end and a little beyond: what the mutator
 * puts into programs as a whole, with other domains and other things of the same kinds,
 * and then spoils. In the form of program_parse(). */
#include "fuzz/grammar.h"

#define RESERVATION " nr_extents=0 extent_order=0 mem_flags=0 domid=0\n"
#define COPY_PAGE " dest.u.gmfn=3 dest.domid=0 dest.offset=0 len=16 flags=1 count=0\n"

const char *const grammar_sequences[] = {
    /* A connection. */
    "1.0 evtchn_alloc_unbound dom=0 remote_dom=3\n"
    "2.0 evtchn_bind_interdomain remote_dom=2 remote_port=$0\n"
    "1.0 evtchn_send port=$1\n"
    "2.0 evtchn_close port=$0\n"
    "1.0 evtchn_status dom=0 port=$1\n"
    "1.0 evtchn_close port=$1\n",
    /* A virtual interrupt. */
    "1.0 evtchn_bind_virq virq=0 vcpu=0\n"
    "1.0 evtchn_bind_vcpu port=$0 vcpu=1\n"
    "1.0 evtchn_close port=$0\n"
    "1.0 evtchn_bind_virq virq=0 vcpu=0\n",
    /* An interrupt of one's own. */
    "1.0 evtchn_bind_ipi vcpu=1\n"
    "1.0 evtchn_send port=$0\n"
    "1.1 evtchn_unmask port=$0\n"
    "1.0 evtchn_close port=$0\n",
    /* Queues of events. */
    "1.0 evtchn_init_control control_gfn=5 offset=0 vcpu=0\n"
    "1.0 evtchn_expand_array array_gfn=6\n"
    "1.0 evtchn_bind_ipi vcpu=0\n"
    "1.0 evtchn_set_priority port=$0 priority=3\n"
    "1.0 evtchn_send port=$0\n"
    "1.0 guest_fifo_word frame=6 offset=0 value=0\n"
    "1.0 evtchn_unmask port=$0\n"
    "1.0 evtchn_reset dom=0\n",
    /* A grant, mapped, changed meanwhile. */
    "1.0 guest_grant ref=8 flags=0 dom=3 frame=4\n"
    "2.0 grant_map host_addr=0 flags=2 ref=8 dom=2 count=0\n"
    "1.0 guest_grant ref=8 flags=3 dom=3 frame=5\n"
    "2.0 grant_unmap host_addr=0 dev_bus_addr=0 handle=$0 count=0\n",
    /* A mapping that goes another way. */
    "1.0 guest_grant ref=8 flags=0 dom=3 frame=4\n"
    "2.0 grant_map host_addr=0 flags=2 ref=8 dom=2 count=0\n"
    "2.0 memory_remove_from_physmap domid=0 gpfn=$0\n"
    "2.0 grant_unmap host_addr=0 dev_bus_addr=0 handle=$0 count=0\n",
    /* A granted page that its owner gives up. */
    "1.0 guest_grant ref=8 flags=0 dom=3 frame=4\n"
    "2.0 grant_map host_addr=0 flags=2 ref=8 dom=2 count=0\n"
    "1.0 memory_decrease_reservation extent_start=4" RESERVATION
    "2.0 grant_unmap host_addr=0 dev_bus_addr=0 handle=$0 count=0\n",
    /* A copy. */
    "1.0 guest_grant ref=8 flags=0 dom=3 frame=4\n"
    "2.0 grant_copy source.u.ref=8 source.domid=2 source.offset=0" COPY_PAGE,
    /* Part of a page. */
    "1.0 grant_set_version version=1 count=0\n"
    "1.0 guest_grant_sub ref=8 flags=0 dom=3 frame=4 start=2 length=16\n"
    "2.0 grant_copy source.u.ref=8 source.domid=2 source.offset=2" COPY_PAGE
    "1.0 grant_set_version version=0 count=0\n",
    /* A grant of a grant. */
    "1.0 grant_set_version version=1 count=0\n"
    "2.0 grant_set_version version=1 count=0\n"
    "1.0 guest_grant_v2 ref=8 flags=0 dom=3 frame=4\n"
    "2.0 guest_grant_trans ref=9 flags=0 dom=4 trans_dom=2 trans_ref=8\n"
    "3.0 grant_copy source.u.ref=9 source.domid=3 source.offset=0" COPY_PAGE,
    /* What a table of version 2 has besides. */
    "1.0 grant_set_version version=1 count=0\n"
    "1.0 memory_add_grant_frame domid=0 space=1 idx=4 gpfn=0\n"
    "1.0 guest_grant_v2 ref=8 flags=0 dom=3 frame=4\n"
    "2.0 grant_map host_addr=0 flags=2 ref=8 dom=2 count=0\n"
    "2.0 grant_unmap host_addr=0 dev_bus_addr=0 handle=$0 count=0\n"
    "1.0 grant_set_version version=0 count=0\n"
    "1.0 guest_write at=$0 value=1 many=0\n",
    /* A page given away, another taken, written, moved, given away. */
    "1.0 memory_decrease_reservation extent_start=2" RESERVATION
    "1.0 memory_populate_physmap extent_start=0" RESERVATION
    "1.0 guest_write at=$0 value=1 many=0\n"
    "1.0 memory_add_to_physmap domid=0 size=0 space=1 idx=$0 gpfn=1\n"
    "1.0 memory_decrease_reservation extent_start=$0" RESERVATION,
    /* Another domain's page. */
    "0.0 memory_add_to_physmap_batch domid=0 space=0 size=0 u.foreign_domid=2 idxs=3 gpfns=0\n"
    "1.0 memory_decrease_reservation extent_start=3" RESERVATION
    "0.0 guest_write at=$0 value=1 many=0\n"
    "0.0 memory_remove_from_physmap domid=0 gpfn=$0\n",
    /* A claim, used. */
    "0.0 memory_claim_pages nr_extents=60 domid=2 extent_order=0\n"
    "1.0 memory_decrease_reservation extent_start=2" RESERVATION
    "1.0 memory_populate_physmap extent_start=0" RESERVATION
    "0.0 memory_claim_pages nr_extents=0 domid=2 extent_order=0\n",
    /* Pages that come when they are looked at. */
    "0.0 memory_populate_physmap extent_start=0 nr_extents=3 extent_order=0 mem_flags=e0 domid=2\n"
    "0.0 memory_set_pod_target target_pages=60 domid=2\n"
    "1.0 guest_write at=$0 value=1 many=0\n"
    "1.0 memory_decrease_reservation extent_start=$1" RESERVATION
    "0.0 memory_set_pod_target target_pages=20 domid=2\n",
    /* Where the hypervisor writes for a vCPU. */
    "1.0 vcpu_register_runstate_memory_area vcpu=0 addr.p=0\n"
    "1.1 vcpu_register_vcpu_info vcpu=1 mfn=5 offset=0\n"
    "1.0 vcpu_moves cpus=1\n"
    "2.0 evtchn_send port=0\n"
    "1.0 memory_decrease_reservation extent_start=5" RESERVATION,
    /* Something waits, and time passes. */
    "1.0 evtchn_bind_ipi vcpu=0\n"
    "1.0 sched_poll ports=$0 nr_ports=0 timeout=5000\n"
    "1.0 time_passes us=100\n"
    "1.1 evtchn_send port=$0\n",
    /* Something waits, and its domain dies. */
    "1.1 vcpu_set_periodic_timer vcpu=1 period_ns=21000\n"
    "1.1 vcpu_set_singleshot_timer vcpu=1 timeout_abs_ns=5000 flags=0\n"
    "1.0 evtchn_bind_ipi vcpu=0\n"
    "1.0 sched_poll ports=$0 nr_ports=0 timeout=5000\n"
    "1.0 domain_dies unused=0\n"
    "2.0 time_passes us=100\n",
    /* A vCPU comes and goes. */
    "2.0 vcpu_initialise vcpu=1 mode=0 cpu_regs.x86_64.cr0=0 cpu_regs.x86_64.cr4=32 "
    "cpu_regs.x86_64.efer=0\n"
    "2.0 vcpu_up vcpu=1\n"
    "2.1 evtchn_bind_ipi vcpu=1\n"
    "2.0 vcpu_down vcpu=1\n"
    "2.0 evtchn_send port=$0\n",
    /* The local APIC in its two modes. */
    "1.0 exit_wrmsr_apic_base msr=0 low=1 high=0\n"
    "1.0 exit_wrmsr msr=37 low=255 high=0\n"
    "1.0 exit_rdmsr msr=36\n"
    "1.0 interrupt vector=65 level=0\n"
    "1.0 exit_wrmsr_apic_base msr=0 low=0 high=0\n",
    /* Several calls in one. */
    "1.0 multicall calls=2\n"
    "1.0 evtchn_bind_ipi vcpu=0\n"
    "1.0 memory_current_reservation domid=0\n"
    "1.0 evtchn_send port=0\n",
};
const unsigned grammar_sequence_count = ARRAY_SIZE(grammar_sequences);
