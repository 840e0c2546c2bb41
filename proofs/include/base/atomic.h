/* Takes the place of src/base/atomic.h in the proofs: the same functions by contract
 * only. The reasoning is sequential: nobody else changes *p between two of them. Words
 * that a guest may write are read through accessors of their modules, whose contracts
 * promise nothing about the value. proofs/eacsl.sh runs the true bodies against these
 * contracts. */
#ifndef CORBEL_BASE_ATOMIC_H
#define CORBEL_BASE_ATOMIC_H

#include "base/types.h"

/*@ requires \valid_read(p);
    terminates \true;
    assigns \nothing;
    ensures \result == *p; */
uint64_t load_u64(const uint64_t *p);

/*@ requires \valid_read(p);
    terminates \true;
    assigns \nothing;
    ensures \result == *p; */
uint32_t load_u32(const uint32_t *p);

/*@ requires \valid_read(p);
    terminates \true;
    assigns \nothing;
    ensures \result == *p; */
uint16_t load_u16(const uint16_t *p);

/*@ requires \valid_read(p);
    terminates \true;
    assigns \nothing;
    ensures \result == *p; */
uint8_t load_u8(const uint8_t *p);

/*@ requires \valid(p);
    terminates \true;
    assigns *p;
    ensures *p == v; */
void store_u64(uint64_t *p, uint64_t v);

/*@ requires \valid(p);
    terminates \true;
    assigns *p;
    ensures *p == v; */
void store_u32(uint32_t *p, uint32_t v);

/*@ requires \valid(p);
    terminates \true;
    assigns *p;
    ensures *p == v; */
void store_u16(uint16_t *p, uint16_t v);

/*@ requires \valid(p);
    terminates \true;
    assigns *p;
    ensures *p == v; */
void store_u8(uint8_t *p, uint8_t v);

/*@ requires \valid(p);
    terminates \true;
    assigns *p;
    ensures \result <==> \old(*p) == expected;
    ensures *p == (\result ? desired : \old(*p)); */
bool cmpxchg_u64(uint64_t *p, uint64_t expected, uint64_t desired);

/*@ requires \valid(p);
    terminates \true;
    assigns *p;
    ensures \result <==> \old(*p) == expected;
    ensures *p == (\result ? desired : \old(*p)); */
bool cmpxchg_u32(uint32_t *p, uint32_t expected, uint32_t desired);

/*@ requires \valid(p);
    terminates \true;
    assigns *p;
    ensures \result <==> \old(*p) == expected;
    ensures *p == (\result ? desired : \old(*p)); */
bool cmpxchg_u16(uint16_t *p, uint16_t expected, uint16_t desired);

/*@ requires \valid(p);
    terminates \true;
    assigns *p;
    ensures \result == \old(*p);
    ensures *p == (\old(*p) | v); */
uint64_t fetch_or_u64(uint64_t *p, uint64_t v);

/*@ requires \valid(p);
    terminates \true;
    assigns *p;
    ensures \result == \old(*p);
    ensures *p == (\old(*p) | v); */
uint32_t fetch_or_u32(uint32_t *p, uint32_t v);

/*@ requires \valid(p);
    terminates \true;
    assigns *p;
    ensures \result == \old(*p);
    ensures *p == (\old(*p) & v); */
uint64_t fetch_and_u64(uint64_t *p, uint64_t v);

/*@ requires \valid(p);
    terminates \true;
    assigns *p;
    ensures \result == \old(*p);
    ensures *p == (\old(*p) & v); */
uint32_t fetch_and_u32(uint32_t *p, uint32_t v);

/*@ requires \valid(p);
    terminates \true;
    assigns *p;
    ensures \result == \old(*p);
    ensures *p == (uint64_t)(\old(*p) + v); */
uint64_t fetch_add_u64(uint64_t *p, uint64_t v);

/*@ requires \valid(p);
    terminates \true;
    assigns *p;
    ensures \result == \old(*p);
    ensures *p == (uint32_t)(\old(*p) + v); */
uint32_t fetch_add_u32(uint32_t *p, uint32_t v);

/*@ terminates \true;
    assigns \nothing; */
void memory_fence(void);

/*@ requires \valid(&p[nr / 64]);
    terminates \true;
    assigns p[nr / 64];
    ensures \result <==> word_bit(\old(p[nr / 64]), nr % 64);
    ensures word_bit(p[nr / 64], nr % 64);
    ensures \forall integer i; 0 <= i < 64 ==> i != nr % 64 ==>
        (word_bit(p[nr / 64], i) <==> word_bit(\old(p[nr / 64]), i)); */
bool test_and_set_bit(uint64_t nr, uint64_t *p);

/*@ requires \valid(&p[nr / 64]);
    terminates \true;
    assigns p[nr / 64];
    ensures \result <==> word_bit(\old(p[nr / 64]), nr % 64);
    ensures !word_bit(p[nr / 64], nr % 64);
    ensures \forall integer i; 0 <= i < 64 ==> i != nr % 64 ==>
        (word_bit(p[nr / 64], i) <==> word_bit(\old(p[nr / 64]), i)); */
bool test_and_clear_bit(uint64_t nr, uint64_t *p);

/*@ requires \valid_read(&p[nr / 64]);
    terminates \true;
    assigns \nothing;
    ensures \result <==> word_bit(p[nr / 64], nr % 64); */
bool test_bit(uint64_t nr, const uint64_t *p);

#endif
