/* The table as a whole, and what can be said of it. */
#include "fuzz/grammar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct op_desc *grammar_ops[GRAMMAR_MAX];
unsigned grammar_count;

static void add(const struct op_table *t)
{
    for (unsigned i = 0; i < t->count; i++) {
        if (grammar_count == GRAMMAR_MAX) {
            abort();
        }
        grammar_ops[grammar_count++] = &t->ops[i];
    }
}

void grammar_init(void)
{
    if (grammar_count != 0) {
        return;
    }
    add(&grammar_evtchn);
    add(&grammar_grant);
    add(&grammar_memory);
    add(&grammar_sched);
    add(&grammar_hvm);
    add(&grammar_misc);
    for (unsigned i = 0; i < ARRAY_SIZE(grammar_control); i++) {
        add(&grammar_control[i]);
    }
    add(&grammar_exit);
    add(&grammar_guest);
}

int grammar_find(const char *name)
{
    grammar_init();
    for (unsigned i = 0; i < grammar_count; i++) {
        if (strcmp(grammar_ops[i]->name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

unsigned grammar_fields(const struct op_desc *o)
{
    unsigned n = 0;

    while (grammar_has(o, n)) {
        n++;
    }
    return n;
}

const char *grammar_kind_name(enum field_kind k)
{
    static const char *const names[FIELD_KINDS] = {
        "none",  "domid", "vcpu",   "port",  "virq",         "gfn",    "hole",
        "mfn",   "gref",  "handle", "gpa",   "hole-address", "buffer", "enum",
        "flags", "int",   "order",  "count", "time",         "offset", "word"};

    return names[k];
}

const char *grammar_class_name(enum op_class c)
{
    static const char *const names[] = {"hypercall", "exit", "guest", "world"};

    return names[c];
}

static void document_field(const struct field_desc *f)
{
    printf("%s: %s", f->name, grammar_kind_name(f->kind));
    if (f->kind == K_ENUM) {
        printf(" of %u", f->arg);
    } else if (f->kind == K_INT) {
        printf(" < %u", f->arg);
    } else if (f->kind == K_FLAGS) {
        printf(" %#x", f->arg);
    }
    if (f->place == IN_LIST || f->place == IN_REGLIST) {
        printf(" list");
    }
}

static void document_faults(void)
{
    printf("## Faults\n\n"
           "One per operation, while it runs; `N` is a byte.\n\n"
           "| fault | what goes wrong |\n| --- | --- |\n"
           "| `!race=N` | the next operation runs at the same time on the other CPU, or happens "
           "in the middle; at the locks whose bit is set in N the CPUs switch |\n"
           "| `!fetch=N` | after a read of the guest's memory (the 1st, 2nd, 3rd, 4th, 1st, 1st, "
           "2nd, 7th, by N mod 8) a word of what was read changes: which by bits 3 and 4, how by "
           "5 to 7 |\n"
           "| `!gone=N` | after such a read its page cannot be written any more; with bits 3 and 4 "
           "clear, neither be read |\n"
           "| `!shared=N` | before the 1 + N mod 8th time that a word which guests see (grant "
           "entries and their status, event words, page tables) is read again, its bit N / 8 "
           "flips (in builds for fuzzing only) |\n"
           "| `!fail=N` | allocation 1 + N mod 16 fails |\n"
           "| `!preempt=N` | every 1 + N mod 8th preemption point fires |\n\n");
}

static void document_sequences(void)
{
    printf("\n## Sequences\n\n"
           "What the mutator also puts in as a whole, with other domains and other things, with "
           "faults and operands changed, in one piece or spread over the program.\n");
    for (unsigned i = 0; i < grammar_sequence_count; i++) {
        const char *line = grammar_sequences[i];

        printf("\n");
        while (*line != '\0') {
            int n = (int)strcspn(line, "\n");

            printf("    %.*s\n", n, line);
            line += n + (line[n] != '\0');
        }
    }
}

void grammar_document(void)
{
    grammar_init();
    printf("# The grammar of fuzz programs\n\n"
           "Written by `fuzz_tool grammar` from the tables in `grammar_*.c`; a test compares.\n\n");
    document_faults();
    printf("## Operations\n\n"
           "| # | operation | class | operands |\n| --- | --- | --- | --- |\n");
    for (unsigned i = 0; i < grammar_count; i++) {
        const struct op_desc *o = grammar_ops[i];

        printf("| %u | %s | %s%s | ", i, o->name, grammar_class_name(o->class),
               o->batch ? ", batch" : "");
        for (unsigned f = 0; f < grammar_fields(o); f++) {
            printf(f != 0 ? ", " : "");
            document_field(&o->field[f]);
        }
        printf(" |\n");
    }
    document_sequences();
}
