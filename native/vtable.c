/* The kernels of one instruction set. */
#include "kernel.h"

#define T2L_ENTRY(name, parameters, arguments) .name = T2L_KERNEL(name),
extern const t2l_vtable T2L_KERNEL(vtable);
const t2l_vtable T2L_KERNEL(vtable) = {T2L_KERNELS(T2L_ENTRY)};
