/** NVIDIA's driver by way of JCuda: devices, memory whose life is an arena, streams, launches, graphs, errors in sentences. */
@NullMarked
package dev.troupe.kernel.cuda.driver;

import org.jspecify.annotations.NullMarked;
