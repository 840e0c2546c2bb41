# Guest programs: PVH kernels that need no disk, for the simulator and the bare image alike.
# add_guest_program(NAME SOURCE...) makes NAME.elf in the current binary directory.
include_guard()
set(GUEST_DIR ${CMAKE_CURRENT_LIST_DIR})
file(GLOB GUEST_HEADERS CONFIGURE_DEPENDS ${GUEST_DIR}/*.h)
file(GLOB RUNTIME_SOURCES CONFIGURE_DEPENDS ${GUEST_DIR}/rt*.c)
file(GLOB ACTS_SOURCES CONFIGURE_DEPENDS ${GUEST_DIR}/act*.c)
list(PREPEND RUNTIME_SOURCES ${GUEST_DIR}/vectors.S)
list(PREPEND ACTS_SOURCES ${RUNTIME_SOURCES})
function(add_guest_program name)
  add_custom_command(OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/${name}.elf
    COMMAND ${CMAKE_C_COMPILER} -std=gnu11 -ffreestanding -fno-pic -fno-pie -mno-red-zone
      -mgeneral-regs-only -fno-stack-protector -fno-builtin -fcf-protection=none -O2 -Wall -Wextra
      -Wshadow -Werror -D__XEN_TOOLS__ -nostdlib -static -no-pie -Wl,--build-id=none
      -Wl,--no-warn-rwx-segments -Wl,-T,${GUEST_DIR}/guest.lds -I${GUEST_DIR}
      ${GUEST_DIR}/entry.S ${ARGN} -o ${CMAKE_CURRENT_BINARY_DIR}/${name}.elf
    DEPENDS ${GUEST_DIR}/entry.S ${ARGN} ${GUEST_HEADERS} ${GUEST_DIR}/guest.lds VERBATIM)
endfunction()
