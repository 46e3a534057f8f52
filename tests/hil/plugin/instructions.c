/* Counts the instructions that the guest executes, and prints their number when the emulator ends.

   QEMU's plugin interface, version 1 (QEMU 6.0 to 8.2), or 2 (since 9.0), which only counts by calling back. Debian 12 ships no header for it: what is
   used of it is declared here. */
#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef uint64_t plugin_id;
struct qemu_plugin_tb;

int qemu_plugin_version = INTERFACE;

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, void (*)(plugin_id, struct qemu_plugin_tb *));
#if INTERFACE == 1
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, int operation, void *counter, uint64_t addend);
#else
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, void (*)(unsigned vcpu, void *), int flags, void *);
#endif
void qemu_plugin_register_atexit_cb(plugin_id, void (*)(plugin_id, void *), void *);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);

enum { ADD_U64 = 0, NO_REGISTERS = 0 };

static uint64_t executed;

#if INTERFACE != 1
static void on_execution(unsigned vcpu, void *length)
{
    (void)vcpu;
    executed += (size_t)length;
}
#endif

static void on_translation(plugin_id id, struct qemu_plugin_tb *block)
{
    (void)id;
    size_t length = qemu_plugin_tb_n_insns(block);
#if INTERFACE == 1
    qemu_plugin_register_vcpu_tb_exec_inline(block, ADD_U64, &executed, length);
#else
    qemu_plugin_register_vcpu_tb_exec_cb(block, on_execution, NO_REGISTERS, (void *)length);
#endif
}

static void on_exit_of_emulator(plugin_id id, void *unused)
{
    (void)id;
    (void)unused;
    fprintf(stderr, "instructions %" PRIu64 "\n", executed);
}

int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
    (void)info;
    (void)argc;
    (void)argv;
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_atexit_cb(id, on_exit_of_emulator, NULL);
    return 0;
}
