// Stacks that take turns on one thread.
#pragma once

#include <cstddef>
#include <cstdint>

#ifdef __x86_64__

/* Where a stack that does not run goes on: its pointer, with the registers that a call keeps on top. */
using Place = void *;

extern "C" void emulator_switch(Place *from, Place to);
asm(R"(
  .text
  .p2align 4
  .hidden emulator_switch
  .globl emulator_switch
emulator_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
)");

inline void switch_place(Place &from, Place &to) { emulator_switch(&from, to); }

inline void start_place(Place &place, char *stack, size_t bytes, void (*body)()) {
  auto *top = reinterpret_cast<uint64_t *>(stack + bytes);
  top[-1] = 0;
  top[-2] = reinterpret_cast<uint64_t>(body); /* what `ret` takes; the stack then stands as behind a call */
  for (int i = 3; i <= 8; i++) {
    top[-i] = 0;
  }
  place = top - 8;
}

#else

#include <ucontext.h>

using Place = ucontext_t;

inline void switch_place(Place &from, Place &to) { swapcontext(&from, &to); }

inline void start_place(Place &place, char *stack, size_t bytes, void (*body)()) {
  getcontext(&place);
  place.uc_stack.ss_sp = stack;
  place.uc_stack.ss_size = bytes;
  place.uc_link = nullptr;
  makecontext(&place, body, 0);
}

#endif
