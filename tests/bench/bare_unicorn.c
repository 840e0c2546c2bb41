/* The peer for guest speed: the same loop on Unicorn with nothing around it.
 * usage: bench_unicorn ROUNDS; prints instructions a second. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <unicorn/unicorn.h>

extern const uint8_t bench_loop[], bench_loop_end[];

#define CODE 0x1000u
#define STACK 0x8000u
#define DATA 0x10000u
#define END 0x4000u
#define INSNS_PER_ROUND (256u * 13u + 4u)

int main(int argc, char **argv)
{
    uint64_t rounds = argc > 1 ? strtoull(argv[1], NULL, 0) : 100000;
    uint64_t rsp = STACK, rsi = DATA, ret = END;
    struct timespec a, b;
    uc_engine *uc;
    double seconds;

    if (uc_open(UC_ARCH_X86, UC_MODE_64, &uc) != UC_ERR_OK ||
        uc_mem_map(uc, 0, DATA, UC_PROT_ALL) != UC_ERR_OK ||
        uc_mem_map(uc, DATA, 1u << 16, UC_PROT_READ | UC_PROT_WRITE) != UC_ERR_OK)
        return 1;
    uc_mem_write(uc, CODE, bench_loop, (size_t)(bench_loop_end - bench_loop));
    uc_mem_write(uc, STACK, &ret, sizeof(ret));
    uc_reg_write(uc, UC_X86_REG_RSP, &rsp);
    uc_reg_write(uc, UC_X86_REG_RDI, &rounds);
    uc_reg_write(uc, UC_X86_REG_RSI, &rsi);
    clock_gettime(CLOCK_MONOTONIC, &a);
    if (uc_emu_start(uc, CODE, END, 0, 0) != UC_ERR_OK)
        return 1;
    clock_gettime(CLOCK_MONOTONIC, &b);
    seconds = (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;
    printf("%.0f\n",
           (double)(strtoull(argc > 1 ? argv[1] : "100000", NULL, 0) * INSNS_PER_ROUND) / seconds);
    uc_close(uc);
    return 0;
}
