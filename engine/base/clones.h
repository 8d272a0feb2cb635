/* clones.h - CLONES before a function compiles it for wider vectors, too; the C library picks one
 * when the program starts, by cpuid. For loops over bytes and integers, whose results are the same
 * whatever the width; loops over floats that matter are in network/kernels.c. */
#ifndef CLONES_H
#define CLONES_H

/* The picking runs before the sanitizers are ready, so they get the plain function. clang 14 has no
 * such attribute. */
#if defined __x86_64__ && defined __GNUC__ && !defined __clang__ && \
    !defined __SANITIZE_ADDRESS__ && !defined __SANITIZE_THREAD__
#define CLONES __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define CLONES
#endif

#endif
